/* The residual addition that a contraction may end with, of a fresh result and a stored addend: TFLite's int8 ADD; or,
   where once is 1, the exact sum of the products, at most 2^41, shifted right by shift and rounded once, ties upwards.
   As the addend's literal parameters are unused where there is none, `present` is a literal too. */
#ifndef S2C_ADDEND_H
#define S2C_ADDEND_H
#include "requantize.h"

typedef struct {
    int32_t present, a_zero, a_multiplier, a_shift, b_zero, b_multiplier, b_shift, multiplier, shift, once,
        zero, lo, hi;
} s2c_addend;

S2C_INLINE int32_t s2c_add_twice(int32_t a, int32_t b, s2c_addend p)
{
    const int32_t left =
        s2c_scale((a - p.a_zero) * (1 << 20), p.a_multiplier, p.a_shift, p.a_shift, p.a_shift, 1);
    const int32_t right =
        s2c_scale((b - p.b_zero) * (1 << 20), p.b_multiplier, p.b_shift, p.b_shift, p.b_shift, 1);
    return s2c_scale(left + right, p.multiplier, p.shift, p.shift, p.shift, 1);
}

S2C_INLINE int32_t s2c_add_once(int32_t a, int32_t b, s2c_addend p)
{
    const int64_t left = (int64_t)(a - p.a_zero) * p.a_multiplier;
    const int64_t right = (int64_t)(b - p.b_zero) * p.b_multiplier;
    return (int32_t)((left + right + (INT64_C(1) << (p.shift - 1))) >> p.shift);
}

/* once is a literal, so that one of the two is left. */
S2C_INLINE int32_t s2c_add(int32_t a, int32_t b, s2c_addend p)
{
    if (p.once) {
        return s2c_clamp(s2c_add_once(a, b, p) + p.zero, p.lo, p.hi);
    }
    return s2c_clamp(s2c_add_twice(a, b, p) + p.zero, p.lo, p.hi);
}

#endif
