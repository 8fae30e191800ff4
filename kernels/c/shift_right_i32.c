/* output[i] = a[i] >> b[j] with zeros from the left; 0 where b[j] is none of 0..31.
   b is indexed by the middle of three axes.
   in place: a
   Constant: shifts and selects, no branch. */
#include "lib/whole.h"
#include "lib/zip.h"

S2C_INLINE void shift_right_i32(int32_t *output, const int32_t *a, const int32_t *b, int32_t outer,
                                int32_t middle, int32_t inner)
{
    S2C_ZIP(int32_t, (int32_t)s2c_shift_right_32((uint32_t)x, (uint32_t)y));
}
