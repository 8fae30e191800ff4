/* log: x = 2^k * (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), then log(x) = k * ln 2 + log(1 + f), where
   log(1 + f) = f - f*f/2 + f*f*f*p(f). The coefficients are from bench/minimax.py. */
#ifndef S2C_LOGARITHM_H
#define S2C_LOGARITHM_H
#include "exponential.h"

#define S2C_ONE UINT32_C(0x3f800000)
#define S2C_SQRT_HALF UINT32_C(0x3f3504f3)

/* k and 1 + f of a positive normal float. */
S2C_INLINE int32_t s2c_log_exponent(float x)
{
    return (int32_t)((s2c_bits(x) + (S2C_ONE - S2C_SQRT_HALF)) >> 23) - 127;
}

S2C_INLINE float s2c_log_mantissa(float x)
{
    const uint32_t shifted = s2c_bits(x) + (S2C_ONE - S2C_SQRT_HALF);
    return s2c_float((shifted & UINT32_C(0x007fffff)) + S2C_SQRT_HALF);
}

/* log(1 + f) - f. */
S2C_INLINE float s2c_log_rest(float f)
{
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
    return f * square * p - 0.5f * square;
}

/* log(1 + x) for -1 < x <= S2C_LARGEST. Near 0 f is x itself; elsewhere it comes from the rounded sum, and
   what the rounding lost is put back, times 1 / (1 + f) or nearly so. */
S2C_INLINE float s2c_log1p_defined(float x)
{
    const float sum = 1.0f + x;
    const float large = s2c_select(x > 1.0f, x, 1.0f);
    const float small = s2c_select(x > 1.0f, 1.0f, x);
    const int32_t exponent = s2c_log_exponent(sum);
    const float k = (float)exponent;
    const int32_t bounded = exponent < 127 ? exponent : 127;
    const float scaled = (small - (sum - large)) * s2c_float((uint32_t)(127 - bounded) << 23);
    const float lost = s2c_select(exponent == 0, 0.0f, scaled);
    const float fraction = s2c_log_mantissa(sum) - 1.0f;
    const float f = s2c_select(exponent == 0, x, fraction);
    const float rest = s2c_log_rest(f) + lost * (1.0f - f + f * f);
    return k * S2C_LN2_HIGH + (f + (k * S2C_LN2_LOW + rest));
}

#endif
