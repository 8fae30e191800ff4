/* output[i] = log(x) = k * ln 2 + log(1 + f) with x = 2^k * (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), where
   log(1 + f) = f - f*f/2 + f*f*f*p(f). The coefficients are from bench/minimax.py.
   Error over all float32 inputs: at most 0.87 ulp, 8.2e-8 relative.
   NaN stays NaN, +inf stays inf, zeros and subnormals of either sign become -inf, what is below them NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/exponential.h"

#define S2C_SQRT_HALF UINT32_C(0x3f3504f3)
#define S2C_ONE UINT32_C(0x3f800000)

S2C_INLINE float s2c_log(float x)
{
    const uint32_t shifted = s2c_bits(x) + (S2C_ONE - S2C_SQRT_HALF);
    const float k = (float)((int32_t)(shifted >> 23) - 127);
    const float f = s2c_float((shifted & UINT32_C(0x007fffff)) + S2C_SQRT_HALF) - 1.0f;
    float p = 0.0694799647f;
    p = p * f + -0.118307538f;
    p = p * f + 0.118761517f;
    p = p * f + -0.123745754f;
    p = p * f + 0.142165676f;
    p = p * f + -0.166699022f;
    p = p * f + 0.200023934f;
    p = p * f + -0.249999762f;
    p = p * f + 0.333333075f;
    const float square = f * f;
    const float y = k * S2C_LN2_HIGH + (f + (k * S2C_LN2_LOW + (f * square * p - 0.5f * square)));
    const float positive = s2c_select(x > S2C_LARGEST, x, y);
    const float defined = s2c_select(x < S2C_SMALLEST, -S2C_INFINITY, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

S2C_INLINE void log_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_log(input[i]);
    }
}
