/* output[i] = a[i] | b[j].
   b is indexed by the middle of three axes.
   in place: a
   Constant: one instruction of logic. */
#include "lib/zip.h"

S2C_INLINE void bit_or_i32(int32_t *output, const int32_t *a, const int32_t *b, int32_t outer, int32_t middle,
                           int32_t inner)
{
    S2C_ZIP(int32_t, x | y);
}
