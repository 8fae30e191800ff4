/* a / d without a division, closer than a product with the reciprocal. */
#ifndef S2C_QUOTIENT_H
#define S2C_QUOTIENT_H
#include "reciprocal.h"

/* x with the upper 12 bits of its mantissa: the product of two such numbers is exact. */
S2C_INLINE float s2c_upper_half(float x)
{
    return s2c_float(s2c_bits(x) & UINT32_C(0xfffff000));
}

/* a / (d + low) for 2^-126 <= d <= 2^126 and low below the last place of d, where the quotient is finite; NaN
   for NaN. A quotient of 12 bits leaves a remainder that is exact but for low, so that 0.6 ulp remain; below
   2^-80, where the remainder may be subnormal, 2.6. */
S2C_INLINE float s2c_quotient_by_sum(float a, float d, float low)
{
    const float inverse = s2c_reciprocal_of_positive(d);
    const float near = a * inverse;
    const float q = s2c_upper_half(near);
    const float upper = s2c_upper_half(d);
    const float rest = (a - q * upper) - q * (d - upper) - q * low;
    const float refined = q + rest * inverse;
    return s2c_select(s2c_abs(near) < 0x1p-80f, near, refined);
}

S2C_INLINE float s2c_quotient(float a, float d)
{
    return s2c_quotient_by_sum(a, d, 0.0f);
}

#endif
