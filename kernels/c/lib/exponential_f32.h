/* exp(-a) and exp(-a) - 1 of vectors a that are not negative, by the formulas of exponential.h: a = h - n * ln 2 with n
   an integer, then 2^n * exp(-h). */
#ifndef S2C_EXPONENTIAL_F32_H
#define S2C_EXPONENTIAL_F32_H
#include "exponential.h"
#include "vector_f32.h"

/* rounded holds n in its low bits, plus what `round` has there. */
typedef struct {
    s2c_floats rounded, h;
} s2c_powers;

S2C_INLINE s2c_powers s2c_split_floats(s2c_floats a, float round)
{
    const s2c_floats rounded = s2c_horner(a, s2c_all_floats(-S2C_LOG2_E), round);
    const s2c_floats n = rounded - round;
    const s2c_floats high = s2c_multiply_add(n, s2c_all_floats(S2C_LN2_HIGH), a);
    const s2c_powers both = {rounded, s2c_multiply_add(n, s2c_all_floats(S2C_LN2_LOW), high)};
    return both;
}

/* exp(-h) - 1 for |h| <= ln 2 / 2. */
S2C_INLINE s2c_floats s2c_expm1_near_zero_floats(s2c_floats h)
{
    s2c_floats p = s2c_all_floats(0.00138367456f);
    p = s2c_horner(p, h, -0.00836710539f);
    p = s2c_horner(p, h, 0.041667752f);
    p = s2c_horner(p, h, -0.16666539f);
    p = s2c_horner(p, h, 0.49999997f);
    return s2c_multiply_add(h * h, p, -h);
}

S2C_INLINE s2c_floats s2c_power_of_two_floats(s2c_floats rounded)
{
    return (s2c_floats)((s2c_words)rounded << 23);
}

/* exp(-(a + more)) for a >= 0 and a small `more`; 0 above a = 87.7, and subnormal before that from 87.3 on. */
S2C_INLINE s2c_floats s2c_exp_of_minus_floats(s2c_floats a, s2c_floats more)
{
    const s2c_powers parts = s2c_split_floats(s2c_at_most_floats(a, 88.0f), S2C_POWER_ROUND);
    const s2c_floats power = s2c_power_of_two_floats(parts.rounded);
    return s2c_multiply_add(power, s2c_expm1_near_zero_floats(parts.h + more), power);
}

/* exp(-(a + more) / 2) likewise, with the halves in the coefficients; 0 above a = 175.4. */
S2C_INLINE s2c_floats s2c_exp_of_minus_half_floats(s2c_floats a, s2c_floats more)
{
    const s2c_floats limited = s2c_at_most_floats(a, 176.0f);
    const s2c_floats rounded = s2c_horner(limited, s2c_all_floats(-0.5f * S2C_LOG2_E), S2C_POWER_ROUND);
    const s2c_floats n = rounded - S2C_POWER_ROUND;
    const s2c_floats high = s2c_multiply_add(n, s2c_all_floats(2.0f * S2C_LN2_HIGH), limited);
    const s2c_floats h = s2c_multiply_add(n, s2c_all_floats(2.0f * S2C_LN2_LOW), high) + more;
    s2c_floats p = s2c_all_floats(0.00138367456f / 64);
    p = s2c_horner(p, h, -0.00836710539f / 32);
    p = s2c_horner(p, h, 0.041667752f / 16);
    p = s2c_horner(p, h, -0.16666539f / 8);
    p = s2c_horner(p, h, 0.49999997f / 4);
    p = s2c_horner(p, h, -0.5f);
    const s2c_floats power = s2c_power_of_two_floats(rounded);
    return s2c_multiply_add(power, p * h, power);
}

/* exp(-a) - 1 for a >= 0, near 0 too to a share of itself. */
S2C_INLINE s2c_floats s2c_expm1_of_minus_floats(s2c_floats a)
{
    const s2c_powers parts = s2c_split_floats(s2c_at_most_floats(a, 88.0f), S2C_POWER_ROUND);
    const s2c_floats power = s2c_power_of_two_floats(parts.rounded);
    return s2c_multiply_add(power, s2c_expm1_near_zero_floats(parts.h), power - 1.0f);
}

#endif
