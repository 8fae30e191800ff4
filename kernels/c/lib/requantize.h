/* TFLite's reference requantization, without a branch.
   scale(x) = x * multiplier * 2^(shift - 31), rounded as SaturatingRoundingDoublingHighMul, then as RoundingDivideByPOT.
   least_shift has the sign of a layer's least shift, most_shift is its largest within -2..1; as literals they let the
   compiler drop what cannot happen.
   |x| * 2^max(shift, 0) is below 2^31, and below 2^30 where headroom is 1: the compiler proves it from the weights, so
   that nothing here can overflow. */
#ifndef S2C_REQUANTIZE_H
#define S2C_REQUANTIZE_H
#include "base.h"

S2C_INLINE int32_t s2c_scale(int32_t x, int32_t multiplier, int32_t shift, int32_t least_shift,
                             int32_t most_shift, int32_t headroom)
{
    const int32_t left = most_shift > 0 ? (shift > 0 ? shift : 0) : 0;
    const int32_t right = most_shift > 0 ? (shift < 0 ? -shift : 0) : -shift;
    const int64_t doubled = (int64_t)(int32_t)((uint32_t)x << (left + 1)) * multiplier + INT64_C(0x80000000);
    const int64_t single = (int64_t)(int32_t)((uint32_t)x << left) * multiplier + INT64_C(0x40000000);
    const int32_t high = headroom != 0 ? (int32_t)(doubled >> 32) : (int32_t)(single >> 31);
    const int32_t half = (int32_t)((UINT32_C(1) << right) >> 1);
    const int32_t sign = most_shift < 0 ? high >> 31 : (high >> 31) & -(int32_t)(right > 0);
    const int32_t rounded =
        headroom != 0 ? (high + half + sign) >> right : (int32_t)(((int64_t)high + half + sign) >> right);
    return least_shift < 0 ? rounded : high;
}

/* x * multiplier * 2^(shift - 31), rounded once, ties upwards. */
S2C_INLINE int32_t s2c_scale_once(int32_t x, int32_t multiplier, int32_t shift)
{
    const int64_t half = (int64_t)(UINT64_C(1) << (30 - shift));
    return (int32_t)(((int64_t)x * multiplier + half) >> (31 - shift));
}

S2C_INLINE int32_t s2c_rescale(int32_t x, int32_t multiplier, int32_t shift, int32_t least_shift,
                               int32_t most_shift, int32_t headroom, int32_t once)
{
    const int32_t twice = s2c_scale(x, multiplier, shift, least_shift, most_shift, headroom);
    return once != 0 ? s2c_scale_once(x, multiplier, shift) : twice;
}

S2C_INLINE int32_t s2c_clamp(int32_t x, int32_t lo, int32_t hi)
{
    const int32_t raised = x < lo ? lo : x;
    return raised > hi ? hi : raised;
}

#endif
