/* output[i] = a[i] / b[j] towards zero; 0 where b[j] is 0; the lowest value over -1 is itself.
   b is indexed by the middle of three axes.
   in place: a
   Constant: 32 steps of restoring division, no division instruction. */
#include "lib/divide.h"
#include "lib/zip.h"

S2C_INLINE void divide_i32(int32_t *output, const int32_t *a, const int32_t *b, int32_t outer, int32_t middle,
                           int32_t inner)
{
    S2C_ZIP(int32_t, s2c_quotient_32(x, y));
}
