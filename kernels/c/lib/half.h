/* Half precision by its bits, for machines that have no such numbers. */
#ifndef S2C_HALF_H
#define S2C_HALF_H
#include "bits.h"

/* Exact. A subnormal half, m * 2^-24, is a normal float: 2^-14 with m below its leading bit, less 2^-14. */
S2C_INLINE float s2c_float_of_half(uint16_t half)
{
    const uint32_t magnitude = half & UINT32_C(0x7fff);
    const uint32_t sign = (uint32_t)(half & UINT32_C(0x8000)) << 16;
    const uint32_t normal = (magnitude << 13) + (UINT32_C(112) << 23);
    const float subnormal = s2c_float((UINT32_C(113) << 23) + (magnitude << 13)) - 0x1p-14f;
    const uint32_t is_no_number = UINT32_C(0) - (uint32_t)(magnitude >= 0x7c00);
    const uint32_t is_normal = UINT32_C(0) - (uint32_t)(magnitude >= 0x400);
    const uint32_t large = normal + ((UINT32_C(112) << 23) & is_no_number);
    return s2c_float((large & is_normal) | (s2c_bits(subnormal) & ~is_normal) | sign);
}

/* Rounded to nearest, ties to even; what is 65520 or more is infinite, and subnormal floats are zero. A NaN stays one.
   Adding 1/2 to less than 2^-14 rounds it to a multiple of 2^-24. */
S2C_INLINE uint16_t s2c_half_of_float(float x)
{
    const uint32_t magnitude = s2c_bits(x) & ~S2C_SIGN;
    const uint32_t odd = magnitude >> 13 & 1;
    const uint32_t normal = (magnitude - (UINT32_C(112) << 23) + UINT32_C(0xfff) + odd) >> 13;
    const uint32_t subnormal = s2c_bits(s2c_float(magnitude) + 0.5f) - (UINT32_C(126) << 23);
    const uint32_t is_normal = UINT32_C(0) - (uint32_t)(magnitude >= UINT32_C(0x38800000));
    const uint32_t is_large = UINT32_C(0) - (uint32_t)(magnitude >= UINT32_C(0x47800000));
    const uint32_t quiet = (uint32_t)(magnitude > UINT32_C(0x7f800000)) << 9;
    const uint32_t finite = (normal & is_normal) | (subnormal & ~is_normal);
    const uint32_t sign = s2c_bits(x) >> 16 & UINT32_C(0x8000);
    return (uint16_t)((finite & ~is_large) | ((UINT32_C(0x7c00) | quiet) & is_large) | sign);
}

#endif
