/* exp2 of a sum: 2^n * 2^r with n the nearest integer and |r| <= 1/2, where 2^r = 1 + r*p(r). 2^n is the
   product of two powers, as neither end of the range of n is a float. The coefficients are from
   bench/minimax.py. */
#ifndef S2C_POWER_H
#define S2C_POWER_H
#include "exponential.h"

#define S2C_EXP2_ROUND (S2C_ROUND + 254.0f)

/* exp2(high + low) for |high| <= 200 and |low| <= 1. */
S2C_INLINE float s2c_exp2_of_sum(float high, float low)
{
    const float rounded = (high + low) + S2C_EXP2_ROUND;
    const float n = rounded - S2C_EXP2_ROUND;
    const float r = (high - n) + low;
    const uint32_t exponent = s2c_bits(rounded); /* its low bits: n + 254 */
    const uint32_t half = exponent >> 1;
    float p = 0.0001582275f;
    p = p * r + 0.00134178333f;
    p = p * r + 0.00961706508f;
    p = p * r + 0.0555027276f;
    p = p * r + 0.240226552f;
    p = p * r + 0.693147242f;
    const float power = 1.0f + r * p;
    return power * s2c_float(half << 23) * s2c_float((exponent - half) << 23);
}

#endif
