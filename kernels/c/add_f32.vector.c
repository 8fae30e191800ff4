/* output[i] = clamp(a[i] + b[j]), where b is indexed by the middle of three axes.
   in place: a
   needs: vector
   Constant: selects, no branch. */
#include "lib/zip_f32.h"

S2C_INLINE void add_f32_vector(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                               int32_t inner, float add_lo, float add_hi)
{
    S2C_ZIP_FLOATS(s2c_clamp_floats(x + y, add_lo, add_hi))
}
