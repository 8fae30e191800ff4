/* output[i] = exp(input[i]) = 2^n * exp(r), lib/exponential.h. 2^n is the product of two powers, as neither
   end of the range of n is a float.
   Error over all float32 inputs: at most 1.01 ulp, 8.2e-8 relative.
   NaN stays NaN, +inf and what overflows become inf, -inf and what underflows 0.
   in place: input
   Constant: selects, no branch. */
#include "lib/exponential.h"

#define S2C_EXP_ROUND (S2C_ROUND + 254.0f)

S2C_INLINE float s2c_exp(float x)
{
    const float below = s2c_select(x > 89.0f, 89.0f, x);
    const float bounded = s2c_select(below < -104.0f, -104.0f, below);
    const float rounded = bounded * S2C_LOG2_E + S2C_EXP_ROUND;
    const float n = rounded - S2C_EXP_ROUND;
    const float r = (bounded - n * S2C_LN2_HIGH) - n * S2C_LN2_LOW;
    const uint32_t exponent = s2c_bits(rounded); /* its low bits: n + 254 */
    const uint32_t half = exponent >> 1;
    const float power = 1.0f + s2c_expm1_near_zero(r);
    return power * s2c_float(half << 23) * s2c_float((exponent - half) << 23);
}

S2C_INLINE void exp_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_exp(input[i]);
    }
}
