/* output[i] = a[i] ^ b[j].
   b is indexed by the middle of three axes.
   in place: a
   Constant: one instruction of logic. */
#include "lib/zip.h"

S2C_INLINE void bit_xor_i64(int64_t *output, const int64_t *a, const int64_t *b, int32_t outer,
                            int32_t middle, int32_t inner)
{
    S2C_ZIP(int64_t, x ^ y);
}
