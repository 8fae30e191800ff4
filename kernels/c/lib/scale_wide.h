/* TFLite's requantization of an int64 sum: x * factor * 2^(shift - 15), rounded once, ties upwards, where factor is the
   multiplier rounded to 15 bits. |x| is below 2^47 and shift at most 7, so that nothing here can overflow. */
#ifndef S2C_SCALE_WIDE_H
#define S2C_SCALE_WIDE_H
#include "base.h"

S2C_INLINE int64_t s2c_scale_wide(int64_t x, int32_t multiplier, int32_t shift)
{
    const int32_t rounded = (int32_t)(((int64_t)multiplier + (1 << 15)) >> 16);
    const int32_t factor = rounded > 0x7FFF ? 0x7FFF : rounded;
    const int64_t half = (int64_t)(UINT64_C(1) << (14 - shift));
    return (x * factor + half) >> (15 - shift);
}

/* x * (multiplier + fraction / 2^31) * 2^(shift - 31), rounded once, ties upwards. |x| is below 2^31. */
S2C_INLINE int64_t s2c_scale_split(int64_t x, int32_t multiplier, int32_t fraction, int32_t shift)
{
    const int64_t product = x * multiplier + ((x * fraction) >> 31);
    return (product + (int64_t)(UINT64_C(1) << (30 - shift))) >> (31 - shift);
}

#endif
