/* output[i] = cosh(input[i]), lib/hyperbolic.h.
   Error over all float32 inputs: at most 1.83 ulp, 1.5e-7 relative.
   NaN stays NaN, infinities and what overflows become inf.
   in place: input
   Constant: selects, no branch. */
#include "lib/hyperbolic.h"

S2C_INLINE float s2c_cosh(float x)
{
    const s2c_hyperbolic h = s2c_hyperbolic_parts(s2c_abs(x));
    return 2.0f * (h.half_c + (h.half_c * h.cosh_r_less_one + h.half_s * h.sinh_r));
}

S2C_INLINE void cosh_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_cosh(input[i]);
    }
}
