/* exp and expm1: x = n * ln 2 + r with |r| <= ln 2 / 2, then 2^n * exp(r) with exp(r) = 1 + r + r*r*p(r).
   The coefficients are from bench/minimax.py: expm1(r) within 1.5e-8 of itself.
   n comes from the low bits of a float that is too large to hold a fraction: no conversion that NaN leaves
   undefined. */
#ifndef S2C_EXPONENTIAL_H
#define S2C_EXPONENTIAL_H
#include "bits.h"

#define S2C_ROUND 0x1.8p23f /* x + S2C_ROUND is x rounded to an integer, ties to even, for |x| <= 2^22 */
#define S2C_POWER_ROUND (S2C_ROUND + 127.0f) /* the same, and the low bits of the sum are n + 127 */
#define S2C_LOG2_E 0x1.715476p0f
#define S2C_LN2_HIGH 0x1.62e4p-1f /* 15 bits, so that its product with n is exact */
#define S2C_LN2_LOW 0x1.7f7d1cp-20f

/* expm1 for |r| <= ln 2 / 2. */
S2C_INLINE float s2c_expm1_near_zero(float r)
{
    float p = 0.00138367456f;
    p = p * r + 0.00836710539f;
    p = p * r + 0.041667752f;
    p = p * r + 0.16666539f;
    p = p * r + 0.49999997f;
    return r + r * r * p;
}

/* 2^n from n + S2C_POWER_ROUND, for -127 < n < 128; 0 for n = -127. */
S2C_INLINE float s2c_power_of_two(float rounded)
{
    return s2c_float(s2c_bits(rounded) << 23);
}

/* exp(x - minus) for x <= 0 and a small minus; 0 below x = -87.7, and subnormal before that from -87.3 on. */
S2C_INLINE float s2c_exp_of_negative(float x, float minus)
{
    const float bounded = s2c_select(x < -88.0f, -88.0f, x);
    const float rounded = bounded * S2C_LOG2_E + S2C_POWER_ROUND;
    const float n = rounded - S2C_POWER_ROUND;
    const float r = ((bounded - n * S2C_LN2_HIGH) - n * S2C_LN2_LOW) - minus;
    return s2c_power_of_two(rounded) * (1.0f + s2c_expm1_near_zero(r));
}

/* exp(x) - 1 for x <= 0, near 0 too to a share of itself. */
S2C_INLINE float s2c_expm1_of_negative(float x)
{
    const float bounded = s2c_select(x < -88.0f, -88.0f, x);
    const float rounded = bounded * S2C_LOG2_E + S2C_POWER_ROUND;
    const float n = rounded - S2C_POWER_ROUND;
    const float r = (bounded - n * S2C_LN2_HIGH) - n * S2C_LN2_LOW;
    const float power = s2c_power_of_two(rounded);
    return power * s2c_expm1_near_zero(r) + (power - 1.0f);
}

#endif
