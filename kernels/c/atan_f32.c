/* output[i] = atan(input[i]), lib/arctangent.h.
   Error over all float32 inputs: at most 1.89 ulp, 1.4e-7 relative.
   NaN stays NaN, infinities become +-pi/2, zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/arctangent.h"

S2C_INLINE float s2c_atan(float x)
{
    const float a = s2c_abs(x);
    const float bounded = s2c_select(a > 0x1p64f, 0x1p64f, a);
    return s2c_with_sign(s2c_abs(s2c_angle(bounded, 1.0f, 0)), x);
}

S2C_INLINE void atan_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_atan(input[i]);
    }
}
