/* exp and expm1 of vectors, by the formulas of exponential.h. */
#ifndef S2C_EXPONENTIAL_F32_H
#define S2C_EXPONENTIAL_F32_H
#include "exponential.h"
#include "vector_f32.h"

/* x = n * ln 2 + r: rounded holds n in its low bits, plus what `round` has there. */
typedef struct {
    s2c_floats rounded, r;
} s2c_powers;

S2C_INLINE s2c_powers s2c_split_floats(s2c_floats x, float round)
{
    const s2c_floats rounded = s2c_horner(x, s2c_all_floats(S2C_LOG2_E), round);
    const s2c_floats n = rounded - round;
    const s2c_floats high = s2c_multiply_subtract(n, s2c_all_floats(S2C_LN2_HIGH), x);
    const s2c_powers both = {rounded, s2c_multiply_subtract(n, s2c_all_floats(S2C_LN2_LOW), high)};
    return both;
}

S2C_INLINE s2c_floats s2c_expm1_near_zero_floats(s2c_floats r)
{
    s2c_floats p = s2c_all_floats(0.00138367456f);
    p = s2c_horner(p, r, 0.00836710539f);
    p = s2c_horner(p, r, 0.041667752f);
    p = s2c_horner(p, r, 0.16666539f);
    p = s2c_horner(p, r, 0.49999997f);
    return s2c_multiply_add(r * r, p, r);
}

S2C_INLINE s2c_floats s2c_power_of_two_floats(s2c_floats rounded)
{
    return (s2c_floats)((s2c_words)rounded << 23);
}

/* exp(x - minus) for x <= 0 and a small minus; 0 below x = -87.7, and subnormal before that from -87.3 on. */
S2C_INLINE s2c_floats s2c_exp_of_negative_floats(s2c_floats x, s2c_floats minus)
{
    const s2c_powers parts = s2c_split_floats(s2c_at_least_floats(x, -88.0f), S2C_POWER_ROUND);
    const s2c_floats power = s2c_power_of_two_floats(parts.rounded);
    return s2c_multiply_add(power, s2c_expm1_near_zero_floats(parts.r - minus), power);
}

/* exp(x) - 1 for x <= 0, near 0 too to a share of itself. */
S2C_INLINE s2c_floats s2c_expm1_of_negative_floats(s2c_floats x)
{
    const s2c_powers parts = s2c_split_floats(s2c_at_least_floats(x, -88.0f), S2C_POWER_ROUND);
    const s2c_floats power = s2c_power_of_two_floats(parts.rounded);
    return s2c_multiply_add(power, s2c_expm1_near_zero_floats(parts.r), power - 1.0f);
}

#endif
