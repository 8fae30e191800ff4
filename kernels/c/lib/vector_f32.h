/* Vectors of floats, as wide as the target's registers, in the syntax that GNU compilers share on every processor. */
#ifndef S2C_VECTOR_F32_H
#define S2C_VECTOR_F32_H
#include "bits.h"
#if defined(__AVX512F__) || (defined(__FMA__) && !defined(__clang__))
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define S2C_FLOATS 16
#elif defined(__AVX__)
#define S2C_FLOATS 8
#else
#define S2C_FLOATS 4
#endif

typedef float s2c_floats __attribute__((vector_size(4 * S2C_FLOATS)));
typedef float s2c_floats_at __attribute__((vector_size(4 * S2C_FLOATS), aligned(4), may_alias));
typedef int32_t s2c_lanes __attribute__((vector_size(4 * S2C_FLOATS)));
typedef uint32_t s2c_words __attribute__((vector_size(4 * S2C_FLOATS)));

S2C_INLINE s2c_floats s2c_load_floats(const float *from)
{
    return *(const s2c_floats_at *)(const void *)from;
}

S2C_INLINE void s2c_store_floats(float *to, s2c_floats x)
{
    *(s2c_floats_at *)(void *)to = x;
}

/* count, a literal, of them; the rest is zero. */
S2C_INLINE s2c_floats s2c_load_some_floats(const float *from, int32_t count)
{
    s2c_floats x = {0};
    if (count >= S2C_FLOATS) {
        return s2c_load_floats(from);
    }
    for (int32_t i = 0; i < count; i++) {
        x[i] = from[i];
    }
    return x;
}

typedef float s2c_half_floats __attribute__((vector_size(2 * S2C_FLOATS)));
typedef float s2c_half_floats_at __attribute__((vector_size(2 * S2C_FLOATS), aligned(4), may_alias));
typedef union {
    s2c_floats whole;
    s2c_half_floats half[2];
} s2c_pair_of_halves;

/* Half a vector from each place. */
S2C_INLINE s2c_floats s2c_load_two_halves(const float *low, const float *high)
{
    s2c_pair_of_halves x;
    x.half[0] = *(const s2c_half_floats_at *)(const void *)low;
    x.half[1] = *(const s2c_half_floats_at *)(const void *)high;
    return x.whole;
}

S2C_INLINE void s2c_store_two_halves(float *low, float *high, s2c_floats whole)
{
    const s2c_pair_of_halves x = {whole};
    *(s2c_half_floats_at *)(void *)low = x.half[0];
    *(s2c_half_floats_at *)(void *)high = x.half[1];
}

S2C_INLINE void s2c_store_some_floats(float *to, s2c_floats x, int32_t count)
{
    if (count >= S2C_FLOATS) {
        s2c_store_floats(to, x);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        to[i] = x[i];
    }
}

/* Minus zero is what nothing changes when it is added. */
S2C_INLINE s2c_floats s2c_all_floats(float x)
{
    return x - (s2c_floats){0};
}

S2C_INLINE s2c_floats s2c_choose_floats(s2c_lanes where, s2c_floats a, s2c_floats b)
{
    return (s2c_floats)((where & (s2c_lanes)a) | (~where & (s2c_lanes)b));
}

S2C_INLINE s2c_floats s2c_abs_floats(s2c_floats x)
{
    return (s2c_floats)((s2c_words)x & ~S2C_SIGN);
}

/* Magnitudes, which are not negative, with the signs of x. */
S2C_INLINE s2c_floats s2c_with_sign_floats(s2c_floats magnitude, s2c_floats x)
{
    return (s2c_floats)((s2c_words)magnitude | ((s2c_words)x & S2C_SIGN));
}

/* The larger and the smaller; x where it is NaN. */
S2C_INLINE s2c_floats s2c_at_least_floats(s2c_floats x, float lo)
{
    const s2c_floats low = s2c_all_floats(lo);
    return s2c_choose_floats(x < low, low, x);
}

S2C_INLINE s2c_floats s2c_at_most_floats(s2c_floats x, float hi)
{
    const s2c_floats high = s2c_all_floats(hi);
    return s2c_choose_floats(x > high, high, x);
}

/* NaN stays NaN, as in s2c_clamp_float. */
S2C_INLINE s2c_floats s2c_clamp_floats(s2c_floats x, float lo, float hi)
{
    return s2c_at_most_floats(s2c_at_least_floats(x, lo), hi);
}

/* sum + a * b: rounded once where the processor can, unless every processor is to give the same bits. */
S2C_INLINE s2c_floats s2c_multiply_add(s2c_floats a, s2c_floats b, s2c_floats sum)
{
#if defined(S2C_REPRODUCIBLE)
    return sum + a * b;
#elif defined(__clang__)
#pragma STDC FP_CONTRACT ON
    return sum + a * b;
#elif defined(__AVX512F__)
    return (s2c_floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
#elif defined(__FMA__)
    return (s2c_floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#else
    return sum + a * b;
#endif
}

/* The same of the first count, a literal: half a vector where that is enough, since many processors do two of those
   at a time. What stands behind them in the result is of no meaning. */
S2C_INLINE s2c_floats s2c_multiply_add_some(s2c_floats a, s2c_floats b, s2c_floats sum, int32_t count)
{
#if defined(__AVX512F__) && defined(__FMA__) && !defined(S2C_REPRODUCIBLE)
    if (2 * count <= S2C_FLOATS) {
        const __m256 low =
            _mm256_fmadd_ps(_mm512_castps512_ps256((__m512)a), _mm512_castps512_ps256((__m512)b),
                            _mm512_castps512_ps256((__m512)sum));
        return (s2c_floats)_mm512_castps256_ps512(low);
    }
#endif
    (void)count;
    return s2c_multiply_add(a, b, sum);
}

/* sum - a * b, likewise. */
S2C_INLINE s2c_floats s2c_multiply_subtract(s2c_floats a, s2c_floats b, s2c_floats sum)
{
    return s2c_multiply_add(-a, b, sum);
}

/* p * x + next: a step of Horner's scheme. */
S2C_INLINE s2c_floats s2c_horner(s2c_floats p, s2c_floats x, float next)
{
    return s2c_multiply_add(p, x, s2c_all_floats(next));
}

/* Numbers as pairs of bfloat16, each pair in the place of a float. */
#if defined(__AVX512BF16__)

/* sum + the products of both halves. */
S2C_INLINE s2c_floats s2c_dot_pairs(s2c_floats a, s2c_floats b, s2c_floats sum)
{
    return (s2c_floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

/* Twice as many numbers as a vector holds. */
S2C_INLINE s2c_floats s2c_to_pairs(const float *from)
{
    return (s2c_floats)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + S2C_FLOATS), _mm512_loadu_ps(from));
}

/* Pairs of a number of each. */
S2C_INLINE s2c_floats s2c_interleave_pairs(s2c_floats low, s2c_floats high)
{
    const s2c_words places = {0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007,
                              0x180008, 0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f};
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    return (s2c_floats)_mm512_permutexvar_epi16((__m512i)places, halves);
}

#else

/* Kernels of pairs refuse to be compiled so: these stand for what the others name and never call. */
S2C_INLINE s2c_floats s2c_dot_pairs(s2c_floats a, s2c_floats b, s2c_floats sum)
{
    return sum + a * b;
}

S2C_INLINE s2c_floats s2c_to_pairs(const float *from)
{
    return s2c_load_floats(from);
}

S2C_INLINE s2c_floats s2c_interleave_pairs(s2c_floats low, s2c_floats high)
{
    return low + high;
}

#endif

/* count, a literal, numbers to half as many pairs; behind an odd one stands zero. */
S2C_INLINE void s2c_write_pairs(float *to, const float *from, int32_t count)
{
    const int32_t whole = count / (2 * S2C_FLOATS) * 2 * S2C_FLOATS;
    const int32_t rest = count - whole;
    for (int32_t i = 0; i < whole; i += 2 * S2C_FLOATS) {
        s2c_store_floats(to + i / 2, s2c_to_pairs(from + i));
    }
    if (rest > 0) {
        float some[2 * S2C_FLOATS];
        for (int32_t i = 0; i < 2 * S2C_FLOATS; i++) {
            some[i] = i < rest ? from[whole + i] : 0.0F;
        }
        s2c_store_some_floats(to + whole / 2, s2c_to_pairs(some), (rest + 1) / 2);
    }
}

#endif
