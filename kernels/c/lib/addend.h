/* The residual addition that a contraction may end with: TFLite's int8 ADD of a fresh result and a stored addend.
   As the addend's literal parameters are unused where there is none, `present` is a literal too. */
#ifndef S2C_ADDEND_H
#define S2C_ADDEND_H
#include "requantize.h"

typedef struct {
    int32_t present, a_zero, a_multiplier, a_shift, b_zero, b_multiplier, b_shift, multiplier, shift, zero,
        lo, hi;
} s2c_addend;

S2C_INLINE int32_t s2c_add(int32_t a, int32_t b, s2c_addend p)
{
    const int32_t left =
        s2c_scale((a - p.a_zero) * (1 << 20), p.a_multiplier, p.a_shift, p.a_shift, p.a_shift, 1);
    const int32_t right =
        s2c_scale((b - p.b_zero) * (1 << 20), p.b_multiplier, p.b_shift, p.b_shift, p.b_shift, 1);
    const int32_t sum = s2c_scale(left + right, p.multiplier, p.shift, p.shift, p.shift, 1);
    return s2c_clamp(sum + p.zero, p.lo, p.hi);
}

#endif
