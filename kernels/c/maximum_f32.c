/* output[i] = the larger of a[i] and b[j], where b is indexed by the middle of three axes.
   NaN where one of them is NaN; of zeros of both signs b, and subnormals count as zeros while a net runs.
   in place: a
   Constant: selects, no branch. */
#include "lib/bits.h"
#include "lib/zip.h"

S2C_INLINE float s2c_maximum(float a, float b)
{
    const float y = s2c_select(a > b, a, b);
    return s2c_select(a == a, y, a);
}

S2C_INLINE void maximum_f32(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                            int32_t inner)
{
    S2C_ZIP(float, s2c_maximum(x, y))
}
