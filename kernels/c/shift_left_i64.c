/* output[i] = a[i] << b[j]; 0 where b[j] is none of 0..63.
   b is indexed by the middle of three axes.
   in place: a
   Constant: shifts and selects, no branch. */
#include "lib/whole.h"
#include "lib/zip.h"

S2C_INLINE void shift_left_i64(int64_t *output, const int64_t *a, const int64_t *b, int32_t outer,
                               int32_t middle, int32_t inner)
{
    S2C_ZIP(int64_t, (int64_t)s2c_shift_left_64((uint64_t)x, (uint64_t)y));
}
