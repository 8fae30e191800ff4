/* output[i] = a[i] == b[j].
   b is indexed by the middle of three axes.
   Constant: a comparison, no branch. */
#include "lib/zip.h"

S2C_INLINE void equal_i32_bool(uint8_t *restrict output, const int32_t *restrict a, const int32_t *restrict b,
                               int32_t outer, int32_t middle, int32_t inner)
{
    S2C_ZIP(int32_t, x == y);
}
