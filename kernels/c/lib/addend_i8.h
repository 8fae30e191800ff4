/* lib/addend.h's addition on vectors: of fresh results and stored addends. */
#ifndef S2C_ADDEND_I8_H
#define S2C_ADDEND_I8_H
#include "addend.h"
#include "vector_i8.h"

/* s2c_scale of x * 2^20 for x of nine bits and a sign. All of TFLite's additions have one operand with the multiplier
   1/2 and the shift 0. */
S2C_INLINE s2c_ints s2c_scale_operand(s2c_ints x, int32_t multiplier, int32_t shift)
{
    if (multiplier == 1 << 30 && shift == 0) {
        return x << 19;
    }
    return s2c_scale_ints(x << 20, s2c_all_ints(multiplier), s2c_all_ints(shift), shift, shift, 1, 0);
}

/* The sum of the products, at most 2^41, shifted right. */
S2C_INLINE s2c_longs s2c_add_longs(s2c_ints a, s2c_ints b, s2c_addend p)
{
    const s2c_longs left = s2c_multiply_even(a, s2c_all_ints(p.a_multiplier));
    const s2c_longs right = s2c_multiply_even(b, s2c_all_ints(p.b_multiplier));
    return (left + right + (INT64_C(1) << (p.shift - 1))) >> p.shift;
}

/* That sum in 32 bits, for a shift of 17 to 47: a multiplier's halves as two signed 16-bit integers, the upper one
   rounded, times pairs of operands; what the lower halves give beyond 2^16 is all that the shift leaves of them. */
#if defined(S2C_PAIRS)
#define S2C_UPPER_HALF(multiplier) (((multiplier) >> 16) + (((multiplier) >> 15) & 1))

S2C_INLINE int32_t s2c_fits_halves(s2c_addend p)
{
    return p.shift >= 17 && p.shift <= 47 && S2C_UPPER_HALF(p.a_multiplier) <= INT16_MAX &&
           S2C_UPPER_HALF(p.b_multiplier) <= INT16_MAX;
}

S2C_INLINE s2c_ints s2c_both_halves(int32_t low, int32_t high)
{
    return s2c_all_ints((int32_t)(((uint32_t)low & UINT32_C(0xffff)) | (uint32_t)high << 16));
}

S2C_INLINE s2c_ints s2c_add_pairs(s2c_ints a, s2c_ints b, s2c_addend p)
{
    const s2c_ints pairs = (a & 0xffff) | (s2c_ints)((s2c_int_words)b << 16);
    const s2c_ints upper = s2c_both_halves(S2C_UPPER_HALF(p.a_multiplier), S2C_UPPER_HALF(p.b_multiplier));
    const s2c_ints lower = s2c_both_halves(p.a_multiplier, p.b_multiplier);
    const s2c_ints half = s2c_all_ints((int32_t)(UINT32_C(1) << (p.shift - 17)));
    return (S2C_PAIRS(pairs, upper) + half + (S2C_PAIRS(pairs, lower) >> 16)) >> (p.shift - 16);
}
#endif

/* x: a less its zero point. The sum is neither clamped nor moved to its zero point. */
S2C_INLINE s2c_ints s2c_add_addend(s2c_ints x, s2c_ints b, s2c_addend p)
{
    const s2c_ints y = b - p.b_zero;
#if defined(S2C_PAIRS)
    if (p.once && s2c_fits_halves(p)) {
        return s2c_add_pairs(x, y, p);
    }
#endif
    if (p.once) {
        return s2c_join_low(s2c_add_longs(x, y, p), s2c_add_longs(s2c_odd(x), s2c_odd(y), p));
    }
    const s2c_ints sum =
        s2c_scale_operand(x, p.a_multiplier, p.a_shift) + s2c_scale_operand(y, p.b_multiplier, p.b_shift);
    return s2c_scale_ints(sum, s2c_all_ints(p.multiplier), s2c_all_ints(p.shift), p.shift, p.shift, 1,
                          p.lo >= p.zero);
}

#endif
