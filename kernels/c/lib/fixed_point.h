/* Fixed-point helpers of gemmlowp's reference arithmetic, without a branch. */
#ifndef S2C_FIXED_POINT_H
#define S2C_FIXED_POINT_H
#include "base.h"

/* (2 * a * b) >> 32, rounded; a and b are not both the lowest int32. */
S2C_INLINE int32_t s2c_rounding_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + INT64_C(0x40000000)) >> 31);
}

/* x / 2^shift for shift 1..31, ties away from zero. */
S2C_INLINE int32_t s2c_rounding_shift(int32_t x, int32_t shift)
{
    const int64_t half = (int64_t)(UINT32_C(1) << (shift - 1));
    return (int32_t)((x + half + (x >> 31)) >> shift);
}

/* 2 * x, at most the highest int32, for x of 0 or more: no comparison, of which clang could make a branch. */
S2C_INLINE int32_t s2c_twice_saturating(int32_t x)
{
    const uint32_t twice = (uint32_t)x << 1;
    return (int32_t)((twice | (0 - (twice >> 31))) & INT32_MAX);
}

/* How often x, which is not 0, can be doubled before its highest bit is set: a binary search by selects. */
S2C_INLINE int32_t s2c_leading_zeros(uint32_t x)
{
    int32_t zeros = 0;
    for (int32_t step = 16; step > 0; step /= 2) {
        const int32_t free = (x >> (32 - step)) == 0;
        zeros += free * step;
        x <<= free * step;
    }
    return zeros;
}

/* 1 / total for a total in Q12.19: the Q0.31 fraction returned, times 2^-exponent. The first x is off by 1/17 at most, so
   that no step, 4 * x * rest, saturates. */
S2C_INLINE int32_t s2c_reciprocal(int32_t total, int32_t *exponent)
{
    const int32_t zeros = s2c_leading_zeros((uint32_t)total);
    const int32_t fraction = (int32_t)(((uint32_t)total << zeros) - UINT32_C(0x80000000));
    const int32_t half = (int32_t)(((int64_t)fraction + INT64_C(0x80000000)) >> 1);
    int32_t x = 1515870810 + s2c_rounding_high(half, -1010580540);
    for (int32_t step = 0; step < 3; step++) {
        const int32_t rest = (1 << 29) - s2c_rounding_high(half, x);
        x += s2c_rounding_high(x, rest) * 4;
    }
    *exponent = 12 - zeros;
    return s2c_twice_saturating(x);
}

#endif
