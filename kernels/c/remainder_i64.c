/* output[i] = a[i] - b[j] * (a[i] / b[j] towards zero); a[i] where b[j] is 0.
   b is indexed by the middle of three axes.
   in place: a
   Constant: 64 steps of restoring division, no division instruction. */
#include "lib/divide.h"
#include "lib/zip.h"

S2C_INLINE void remainder_i64(int64_t *output, const int64_t *a, const int64_t *b, int32_t outer,
                              int32_t middle, int32_t inner)
{
    S2C_ZIP(int64_t, s2c_remainder_64(x, y));
}
