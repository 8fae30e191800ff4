/* output[i] = sinh(input[i]), lib/hyperbolic.h.
   Error over all float32 inputs: at most 1.85 ulp, 1.5e-7 relative.
   NaN stays NaN, infinities stay, what overflows becomes inf with its sign, zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/hyperbolic.h"

S2C_INLINE float s2c_sinh(float x)
{
    const s2c_hyperbolic h = s2c_hyperbolic_parts(s2c_abs(x));
    const float half = h.half_s + (h.half_s * h.cosh_r_less_one + h.half_c * h.sinh_r);
    return s2c_with_sign(s2c_abs(2.0f * half), x);
}

S2C_INLINE void sinh_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_sinh(input[i]);
    }
}
