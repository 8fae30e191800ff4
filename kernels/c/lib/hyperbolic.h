/* sinh and cosh: a = n * ln 2 + r with |r| <= ln 2 / 2, then by the addition theorem sinh(a) = S * cosh(r) +
   C * sinh(r) and cosh(a) = C * cosh(r) + S * sinh(r) with S = (2^n - 2^-n) / 2 and C = (2^n + 2^-n) / 2: no
   division. sinh(r) = r + r*z*p(z) and cosh(r) = 1 + z*q(z) with z = r*r; the coefficients are from
   bench/minimax.py. Here are the halves of S and C, as 2^128 is no float. */
#ifndef S2C_HYPERBOLIC_H
#define S2C_HYPERBOLIC_H
#include "exponential.h"

typedef struct {
    float half_s, half_c, sinh_r, cosh_r_less_one;
} s2c_hyperbolic;

/* For a >= 0; from 89.5 on both functions are infinite. */
S2C_INLINE s2c_hyperbolic s2c_hyperbolic_parts(float a)
{
    const float bounded = s2c_select(a > 89.5f, 89.5f, a);
    const float rounded = bounded * S2C_LOG2_E + S2C_ROUND;
    const float n = rounded - S2C_ROUND;
    const float r = (bounded - n * S2C_LN2_HIGH) - n * S2C_LN2_LOW;
    const float z = r * r;
    const float p = (0.000199741087f * z + 0.00833317544f) * z + 0.166666672f;
    const float q = (0.00139354263f * z + 0.0416664593f) * z + 0.5f;
    const uint32_t exponent = s2c_bits(rounded) & UINT32_C(0xff); /* n */
    const uint32_t falling = exponent < 100 ? exponent : 100;
    const float rise = s2c_float((exponent + 125) << 23);
    const float fall = s2c_float((125 - falling) << 23);
    const s2c_hyperbolic parts = {rise - fall, rise + fall, r + r * z * p, z * q};
    return parts;
}

#endif
