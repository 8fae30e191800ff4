/* Vectors for int8 kernels, as wide as the target's registers: dot products of four int8, requantization, and bytes in
   and out. GNU vectors, and the processor's own instructions where GNU vectors have no word for them. */
#ifndef S2C_VECTOR_I8_H
#define S2C_VECTOR_I8_H
#include "requantize.h"
#if defined(__SSE4_1__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#define S2C_INTS 16
#elif defined(__AVX2__)
#define S2C_INTS 8
#else
#define S2C_INTS 4
#endif

/* Dot products want inputs raised by 128, as the processor multiplies unsigned bytes by signed ones; weights then come with
   what undoes it: the packing `quads`. */
#if defined(__SSE4_1__)
#define S2C_RAISED 1
#else
#define S2C_RAISED 0
#endif

typedef int32_t s2c_ints __attribute__((vector_size(4 * S2C_INTS)));
typedef int32_t s2c_ints_at __attribute__((vector_size(4 * S2C_INTS), aligned(4), may_alias));
typedef uint32_t s2c_int_words __attribute__((vector_size(4 * S2C_INTS)));
typedef int64_t s2c_longs __attribute__((vector_size(4 * S2C_INTS)));
typedef uint64_t s2c_long_words __attribute__((vector_size(4 * S2C_INTS)));
typedef int8_t s2c_quads __attribute__((vector_size(4 * S2C_INTS)));
typedef int8_t s2c_quads_at __attribute__((vector_size(4 * S2C_INTS), aligned(1), may_alias));
typedef int8_t s2c_chars __attribute__((vector_size(S2C_INTS)));
typedef int8_t s2c_chars_at __attribute__((vector_size(S2C_INTS), aligned(1), may_alias));

S2C_INLINE s2c_ints s2c_all_ints(int32_t x)
{
    return x - (s2c_ints){0};
}

S2C_INLINE s2c_ints s2c_load_ints(const int32_t *from)
{
    return *(const s2c_ints_at *)(const void *)from;
}

S2C_INLINE s2c_quads s2c_load_quads(const int8_t *from)
{
    return *(const s2c_quads_at *)(const void *)from;
}

/* Wraps around. */
S2C_INLINE s2c_ints s2c_add_ints(s2c_ints a, s2c_ints b)
{
    return (s2c_ints)((s2c_int_words)a + (s2c_int_words)b);
}

S2C_INLINE s2c_ints s2c_widen(s2c_chars x)
{
    return __builtin_convertvector(x, s2c_ints);
}

/* count bytes, a literal of at most 8. */
S2C_INLINE uint64_t s2c_load_some_bytes(const int8_t *from, int32_t count)
{
    uint64_t x = 0;
    int32_t at = 0;
    if (count >= 8) {
        __builtin_memcpy(&x, from, 8);
        return x;
    }
    if ((count & 4) != 0) {
        uint32_t word;
        __builtin_memcpy(&word, from, 4);
        x = word;
        at = 4;
    }
    if ((count & 2) != 0) {
        uint16_t half;
        __builtin_memcpy(&half, from + at, 2);
        x |= (uint64_t)half << (8 * at);
        at += 2;
    }
    if ((count & 1) != 0) {
        x |= (uint64_t)(uint8_t)from[at] << (8 * at);
    }
    return x;
}

S2C_INLINE void s2c_store_some_bytes(int8_t *to, uint64_t x, int32_t count)
{
    if (count >= 8) {
        __builtin_memcpy(to, &x, 8);
        return;
    }
    if ((count & 4) != 0) {
        const uint32_t word = (uint32_t)x;
        __builtin_memcpy(to, &word, 4);
        to += 4;
        x >>= 32;
    }
    if ((count & 2) != 0) {
        const uint16_t half = (uint16_t)x;
        __builtin_memcpy(to, &half, 2);
        to += 2;
        x >>= 16;
    }
    if ((count & 1) != 0) {
        *to = (int8_t)(uint8_t)x;
    }
}

#if S2C_INTS == 4
#define S2C_CHAR_WORDS 1
#else
#define S2C_CHAR_WORDS (S2C_INTS / 8)
#endif

typedef union {
    s2c_chars chars;
    uint64_t words[S2C_CHAR_WORDS];
    uint32_t word;
} s2c_some_chars;

/* count, a literal, of S2C_INTS; the rest is zero. */
S2C_INLINE s2c_chars s2c_load_some_chars(const int8_t *from, int32_t count)
{
    s2c_some_chars x;
    if (count >= S2C_INTS) {
        return *(const s2c_chars_at *)(const void *)from;
    }
    if (S2C_INTS == 4) {
        x.word = (uint32_t)s2c_load_some_bytes(from, count);
        return x.chars;
    }
    for (int32_t i = 0; i < S2C_CHAR_WORDS; i++) {
        x.words[i] = count > 8 * i ? s2c_load_some_bytes(from + 8 * i, count - 8 * i) : 0;
    }
    return x.chars;
}

S2C_INLINE void s2c_store_some_chars(int8_t *to, s2c_chars y, int32_t count)
{
    const s2c_some_chars x = {y};
    if (count >= S2C_INTS) {
        *(s2c_chars_at *)(void *)to = y;
        return;
    }
    if (S2C_INTS == 4) {
        s2c_store_some_bytes(to, x.word, count);
        return;
    }
    for (int32_t i = 0; i < S2C_CHAR_WORDS; i++) {
        if (count > 8 * i) {
            s2c_store_some_bytes(to + 8 * i, x.words[i], count - 8 * i);
        }
    }
}

/* Of results that are no further than 2^31 from the limits. */
S2C_INLINE s2c_ints s2c_clamp_ints(s2c_ints x, int32_t lo, int32_t hi)
{
    const s2c_ints low = s2c_all_ints(lo);
    const s2c_ints high = s2c_all_ints(hi);
    const s2c_ints is_low = x < low;
    const s2c_ints raised = (is_low & low) | (~is_low & x);
    const s2c_ints is_high = raised > high;
    return (is_high & high) | (~is_high & raised);
}

/* Within lo..hi, which lie within int8. */
S2C_INLINE s2c_chars s2c_narrow(s2c_ints x, int32_t lo, int32_t hi)
{
#if S2C_INTS == 16
    if (lo == -128 && hi == 127) {
        return (s2c_chars)_mm512_cvtsepi32_epi8((__m512i)x);
    }
    return (s2c_chars)_mm512_cvtepi32_epi8((__m512i)s2c_clamp_ints(x, lo, hi));
#else
    return __builtin_convertvector(s2c_clamp_ints(x, lo, hi), s2c_chars);
#endif
}

/* dot products */

#if S2C_INTS == 16
#define S2C_PAIRS(a, b) ((s2c_ints)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#elif S2C_INTS == 8
#define S2C_PAIRS(a, b) ((s2c_ints)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE4_1__)
#define S2C_PAIRS(a, b) ((s2c_ints)_mm_madd_epi16((__m128i)(a), (__m128i)(b)))
#endif
typedef int16_t s2c_halves __attribute__((vector_size(4 * S2C_INTS)));
typedef uint16_t s2c_raised_halves __attribute__((vector_size(4 * S2C_INTS)));

/* sum + the products of each lane's four bytes; those of x are unsigned where S2C_RAISED is 1. */
S2C_INLINE s2c_ints s2c_dot(s2c_ints sum, s2c_quads x, s2c_quads weight)
{
#if S2C_INTS == 16 && defined(__AVX512VNNI__)
    return (s2c_ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)weight);
#elif defined(S2C_PAIRS)
    const s2c_halves even = (s2c_halves)((s2c_raised_halves)x & 255);
    const s2c_halves odd = (s2c_halves)((s2c_raised_halves)x >> 8);
    const s2c_halves even_weight = (s2c_halves)((s2c_raised_halves)weight << 8) >> 8;
    const s2c_halves odd_weight = (s2c_halves)weight >> 8;
    const s2c_ints products = S2C_PAIRS(odd, odd_weight);
    return s2c_add_ints(s2c_add_ints(sum, S2C_PAIRS(even, even_weight)), products);
#elif defined(__ARM_FEATURE_DOTPROD)
    return (s2c_ints)vdotq_s32((int32x4_t)sum, (int8x16_t)x, (int8x16_t)weight);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    const int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)x), vget_low_s8((int8x16_t)weight));
    const int16x8_t high = vmull_high_s8((int8x16_t)x, (int8x16_t)weight);
    const int32x4_t products = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
    return s2c_add_ints(sum, (s2c_ints)products);
#else
    for (int32_t i = 0; i < S2C_INTS; i++) {
        int32_t products = 0;
        for (int32_t j = 4 * i; j < 4 * i + 4; j++) {
            products += x[j] * weight[j];
        }
        sum[i] += products;
    }
    return sum;
#endif
}

/* requantization */

/* Products of the even lanes, those that are the lower halves of a long. */
S2C_INLINE s2c_longs s2c_multiply_even(s2c_ints a, s2c_ints b)
{
#if S2C_INTS == 16
    return (s2c_longs)_mm512_mul_epi32((__m512i)a, (__m512i)b);
#elif S2C_INTS == 8
    return (s2c_longs)_mm256_mul_epi32((__m256i)a, (__m256i)b);
#elif defined(__SSE4_1__)
    return (s2c_longs)_mm_mul_epi32((__m128i)a, (__m128i)b);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return (s2c_longs)vmull_s32(vmovn_s64((int64x2_t)a), vmovn_s64((int64x2_t)b));
#else
    return (s2c_longs){(int64_t)a[0] * b[0], (int64_t)a[2] * b[2]};
#endif
}

/* The even lanes, and the odd ones, as longs; they are positive. */
S2C_INLINE s2c_longs s2c_lower(s2c_ints x)
{
    return (s2c_longs)((s2c_long_words)x & 0xffffffff);
}

S2C_INLINE s2c_longs s2c_upper(s2c_ints x)
{
    return (s2c_longs)((s2c_long_words)x >> 32);
}

/* The odd lanes where the even ones are; anything in the odd ones. */
S2C_INLINE s2c_ints s2c_odd(s2c_ints x)
{
#if S2C_INTS == 16
    return (s2c_ints)_mm512_shuffle_epi32((__m512i)x, (_MM_PERM_ENUM)0xf5);
#else
    return (s2c_ints)((s2c_long_words)x >> 32);
#endif
}

/* The lower halves of even in the even lanes, those of odd in the odd ones. */
S2C_INLINE s2c_ints s2c_join_low(s2c_longs even, s2c_longs odd)
{
#if S2C_INTS == 16
    return (s2c_ints)_mm512_mask_shuffle_epi32((__m512i)even, 0xaaaa, (__m512i)odd, (_MM_PERM_ENUM)0xa0);
#else
    return (s2c_ints)(((s2c_long_words)even & 0xffffffff) | ((s2c_long_words)odd << 32));
#endif
}

/* The upper halves likewise. */
S2C_INLINE s2c_ints s2c_join_high(s2c_longs even, s2c_longs odd)
{
#if S2C_INTS == 16
    return (s2c_ints)_mm512_mask_shuffle_epi32((__m512i)odd, 0x5555, (__m512i)even, (_MM_PERM_ENUM)0xf5);
#else
    return (s2c_ints)(((s2c_long_words)even >> 32) | ((s2c_long_words)odd & ~(uint64_t)0xffffffff));
#endif
}

/* x * 2^-right of longs, for right 0..31 of the even lanes of a vector, ties away from zero; is_right: 1 where right
   is above 0. */
S2C_INLINE s2c_longs s2c_shift_longs(s2c_longs x, s2c_longs right, s2c_longs is_right)
{
    const s2c_longs half = (is_right << right) >> 1;
    return (x + half + ((x >> 63) & -is_right)) >> right;
}

/* lib/requantize.h's s2c_scale of each lane; exact above 0 alone where only_positive is 1, else everywhere. With no
   headroom, sums need more than 32 bits. With it, both roundings are one addition; the sign is that of x, as a product that
   rounds to zero gives zero with either. */
S2C_INLINE s2c_ints s2c_scale_ints(s2c_ints x, s2c_ints multiplier, s2c_ints shift, int32_t least_shift,
                                   int32_t most_shift, int32_t headroom, int32_t only_positive)
{
    const s2c_ints zero = s2c_all_ints(0);
    const s2c_ints is_left = shift > zero;
    const s2c_ints is_right = shift < zero;
    const s2c_ints left = most_shift > 0 ? (shift & is_left) : zero;
    const s2c_ints right = most_shift > 0 ? (-shift & is_right) : -shift;
    const s2c_ints some = most_shift < 0 ? s2c_all_ints(-1) : is_right;
    if (most_shift > 0) {
        x = (s2c_ints)((s2c_int_words)x << (s2c_int_words)left);
    }
    if (headroom != 0) {
        const s2c_ints half = (s2c_ints)(((s2c_int_words){0} + 1u) << (s2c_int_words)right >> 1);
        const s2c_long_words wide = (s2c_long_words)half;
        const s2c_longs even_round = (s2c_longs)((wide << 32) + UINT64_C(0x80000000));
        const s2c_longs odd_round = (s2c_longs)((wide >> 32 << 32) + UINT64_C(0x80000000));
        const s2c_ints sign = (x >> 31) & some;
        x = s2c_add_ints(x, x);
        const s2c_longs even = s2c_multiply_even(x, multiplier) + even_round;
        const s2c_longs odd = s2c_multiply_even(s2c_odd(x), s2c_odd(multiplier)) + odd_round;
        const s2c_ints high = s2c_join_high(even, odd);
        if (least_shift >= 0) {
            return high;
        }
        return (only_positive != 0 ? high : high + sign) >> right;
    }
    const s2c_longs round = (s2c_longs){0} + INT64_C(0x40000000);
    const s2c_longs even = (s2c_multiply_even(x, multiplier) + round) >> 31;
    const s2c_longs odd = (s2c_multiply_even(s2c_odd(x), s2c_odd(multiplier)) + round) >> 31;
    if (least_shift >= 0) {
        return s2c_join_low(even, odd);
    }
    const s2c_ints one = -some;
    return s2c_join_low(s2c_shift_longs(even, s2c_lower(right), s2c_lower(one)),
                        s2c_shift_longs(odd, s2c_upper(right), s2c_upper(one)));
}

/* lib/requantize.h's s2c_scale_once of each lane. Where all shifts are below -1, half of what is shifted out is a multiple
   of 2^32, so that the products' lower halves change nothing. */
S2C_INLINE s2c_ints s2c_scale_ints_once(s2c_ints x, s2c_ints multiplier, s2c_ints shift, int32_t most_shift)
{
    if (most_shift < -1) {
        const s2c_ints right = (-1 - shift) & 31; /* padding has the shift 0 */
        const s2c_ints half = (s2c_ints)(((s2c_int_words){0} + 1u) << (s2c_int_words)(right - 1));
        const s2c_longs even = s2c_multiply_even(x, multiplier);
        const s2c_longs odd = s2c_multiply_even(s2c_odd(x), s2c_odd(multiplier));
        return s2c_add_ints(s2c_join_high(even, odd), half) >> right;
    }
    const s2c_ints right = 31 - shift;
    const s2c_longs even_right = s2c_lower(right);
    const s2c_longs odd_right = s2c_upper(right);
    const s2c_longs one = (s2c_longs){0} + 1;
    const s2c_longs even = s2c_multiply_even(x, multiplier) + ((one << even_right) >> 1);
    const s2c_longs odd = s2c_multiply_even(s2c_odd(x), s2c_odd(multiplier)) + ((one << odd_right) >> 1);
    return s2c_join_low(even >> even_right, odd >> odd_right);
}

S2C_INLINE s2c_ints s2c_rescale_ints(s2c_ints x, s2c_ints multiplier, s2c_ints shift, int32_t least_shift,
                                     int32_t most_shift, int32_t headroom, int32_t once,
                                     int32_t only_positive)
{
    if (once != 0) {
        return s2c_scale_ints_once(x, multiplier, shift, most_shift);
    }
    return s2c_scale_ints(x, multiplier, shift, least_shift, most_shift, headroom, only_positive);
}

#endif
