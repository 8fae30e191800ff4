/* Four vectors of bytes interleaved so that four bytes of each lane meet, and back. All happens within 16 bytes, wider
   vectors do it in each of their parts; so what `s2c_zip` takes apart, `s2c_join_chars` puts together in order. */
#ifndef S2C_ZIP_I8_H
#define S2C_ZIP_I8_H
#include "vector_i8.h"

#if S2C_INTS == 16
#define S2C_ZIP_LOW_8(a, b) ((s2c_quads)_mm512_unpacklo_epi8((__m512i)(a), (__m512i)(b)))
#define S2C_ZIP_HIGH_8(a, b) ((s2c_quads)_mm512_unpackhi_epi8((__m512i)(a), (__m512i)(b)))
#define S2C_ZIP_LOW_16(a, b) ((s2c_quads)_mm512_unpacklo_epi16((__m512i)(a), (__m512i)(b)))
#define S2C_ZIP_HIGH_16(a, b) ((s2c_quads)_mm512_unpackhi_epi16((__m512i)(a), (__m512i)(b)))
#define S2C_SATURATE_32(a, b) _mm512_packs_epi32((__m512i)(a), (__m512i)(b))
#define S2C_SATURATE_16(a, b) ((s2c_quads)_mm512_packs_epi16(a, b))
#define S2C_ADD_16(a, b) _mm512_adds_epi16(a, _mm512_set1_epi16((int16_t)(b)))
#define S2C_MOST_8(a, b) ((s2c_quads)_mm512_max_epi8((__m512i)(a), _mm512_set1_epi8((int8_t)(b))))
#define S2C_LEAST_8(a, b) ((s2c_quads)_mm512_min_epi8((__m512i)(a), _mm512_set1_epi8((int8_t)(b))))
#elif S2C_INTS == 8
#define S2C_ZIP_LOW_8(a, b) ((s2c_quads)_mm256_unpacklo_epi8((__m256i)(a), (__m256i)(b)))
#define S2C_ZIP_HIGH_8(a, b) ((s2c_quads)_mm256_unpackhi_epi8((__m256i)(a), (__m256i)(b)))
#define S2C_ZIP_LOW_16(a, b) ((s2c_quads)_mm256_unpacklo_epi16((__m256i)(a), (__m256i)(b)))
#define S2C_ZIP_HIGH_16(a, b) ((s2c_quads)_mm256_unpackhi_epi16((__m256i)(a), (__m256i)(b)))
#define S2C_SATURATE_32(a, b) _mm256_packs_epi32((__m256i)(a), (__m256i)(b))
#define S2C_SATURATE_16(a, b) ((s2c_quads)_mm256_packs_epi16(a, b))
#define S2C_ADD_16(a, b) _mm256_adds_epi16(a, _mm256_set1_epi16((int16_t)(b)))
#define S2C_MOST_8(a, b) ((s2c_quads)_mm256_max_epi8((__m256i)(a), _mm256_set1_epi8((int8_t)(b))))
#define S2C_LEAST_8(a, b) ((s2c_quads)_mm256_min_epi8((__m256i)(a), _mm256_set1_epi8((int8_t)(b))))
#elif defined(__SSE4_1__)
#define S2C_ZIP_LOW_8(a, b) ((s2c_quads)_mm_unpacklo_epi8((__m128i)(a), (__m128i)(b)))
#define S2C_ZIP_HIGH_8(a, b) ((s2c_quads)_mm_unpackhi_epi8((__m128i)(a), (__m128i)(b)))
#define S2C_ZIP_LOW_16(a, b) ((s2c_quads)_mm_unpacklo_epi16((__m128i)(a), (__m128i)(b)))
#define S2C_ZIP_HIGH_16(a, b) ((s2c_quads)_mm_unpackhi_epi16((__m128i)(a), (__m128i)(b)))
#define S2C_SATURATE_32(a, b) _mm_packs_epi32((__m128i)(a), (__m128i)(b))
#define S2C_SATURATE_16(a, b) ((s2c_quads)_mm_packs_epi16(a, b))
#define S2C_ADD_16(a, b) _mm_adds_epi16(a, _mm_set1_epi16((int16_t)(b)))
#define S2C_MOST_8(a, b) ((s2c_quads)_mm_max_epi8((__m128i)(a), _mm_set1_epi8((int8_t)(b))))
#define S2C_LEAST_8(a, b) ((s2c_quads)_mm_min_epi8((__m128i)(a), _mm_set1_epi8((int8_t)(b))))
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define S2C_ZIP_LOW_8(a, b) ((s2c_quads)vzip1q_s8((int8x16_t)(a), (int8x16_t)(b)))
#define S2C_ZIP_HIGH_8(a, b) ((s2c_quads)vzip2q_s8((int8x16_t)(a), (int8x16_t)(b)))
#define S2C_ZIP_LOW_16(a, b) ((s2c_quads)vzip1q_s16((int16x8_t)(a), (int16x8_t)(b)))
#define S2C_ZIP_HIGH_16(a, b) ((s2c_quads)vzip2q_s16((int16x8_t)(a), (int16x8_t)(b)))
#define S2C_SATURATE_32(a, b) vcombine_s16(vqmovn_s32((int32x4_t)(a)), vqmovn_s32((int32x4_t)(b)))
#define S2C_SATURATE_16(a, b) ((s2c_quads)vcombine_s8(vqmovn_s16(a), vqmovn_s16(b)))
#define S2C_ADD_16(a, b) vqaddq_s16(a, vdupq_n_s16((int16_t)(b)))
#define S2C_MOST_8(a, b) ((s2c_quads)vmaxq_s8((int8x16_t)(a), vdupq_n_s8((int8_t)(b))))
#define S2C_LEAST_8(a, b) ((s2c_quads)vminq_s8((int8x16_t)(a), vdupq_n_s8((int8_t)(b))))
#endif

/* In each 16 bytes: channels 0..3, 4..7, 8..11, 12..15, four taps of each. */
S2C_INLINE void s2c_zip(s2c_quads zipped[4], const s2c_quads taps[4])
{
#if defined(S2C_ZIP_LOW_8)
    const s2c_quads low = S2C_ZIP_LOW_8(taps[0], taps[1]);
    const s2c_quads high = S2C_ZIP_HIGH_8(taps[0], taps[1]);
    const s2c_quads other_low = S2C_ZIP_LOW_8(taps[2], taps[3]);
    const s2c_quads other_high = S2C_ZIP_HIGH_8(taps[2], taps[3]);
    zipped[0] = S2C_ZIP_LOW_16(low, other_low);
    zipped[1] = S2C_ZIP_HIGH_16(low, other_low);
    zipped[2] = S2C_ZIP_LOW_16(high, other_high);
    zipped[3] = S2C_ZIP_HIGH_16(high, other_high);
#else
    for (int32_t i = 0; i < 64; i++) {
        zipped[i / 16][i % 16] = taps[i % 4][i / 4];
    }
#endif
}

/* Clamped sums of the zero point and what s2c_zip's order holds. */
S2C_INLINE s2c_quads s2c_join_chars(const s2c_ints y[4], int32_t zero, int32_t lo, int32_t hi)
{
#if defined(S2C_ZIP_LOW_8)
    s2c_quads joined = S2C_SATURATE_16(S2C_ADD_16(S2C_SATURATE_32(y[0], y[1]), zero),
                                       S2C_ADD_16(S2C_SATURATE_32(y[2], y[3]), zero));
    if (lo > -128) {
        joined = S2C_MOST_8(joined, lo);
    }
    if (hi < 127) {
        joined = S2C_LEAST_8(joined, hi);
    }
#else
    s2c_quads joined;
    for (int32_t i = 0; i < 16; i++) {
        joined[i] = (int8_t)s2c_clamp(y[i / 4][i % 4] + zero, lo, hi);
    }
#endif
    return joined;
}

/* What s2c_join_chars made of four vectors of neighbours, in order. */
S2C_INLINE s2c_quads s2c_in_order(s2c_quads joined)
{
#if S2C_INTS == 16
    const s2c_ints from = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    return (s2c_quads)_mm512_permutexvar_epi32((__m512i)from, (__m512i)joined);
#elif S2C_INTS == 8
    const s2c_ints from = {0, 4, 1, 5, 2, 6, 3, 7};
    return (s2c_quads)_mm256_permutevar8x32_epi32((__m256i)joined, (__m256i)from);
#else
    return joined;
#endif
}

/* count, a literal, of 4 * S2C_INTS bytes; the rest is zero. */
S2C_INLINE s2c_quads s2c_load_some_quads(const int8_t *from, int32_t count)
{
    if (count >= 4 * S2C_INTS) {
        return s2c_load_quads(from);
    }
#if S2C_INTS == 16
    return (s2c_quads)_mm512_maskz_loadu_epi8((UINT64_C(1) << count) - 1, from);
#else
    s2c_long_words x = {0};
    for (int32_t i = 0; i < S2C_INTS / 2; i++) {
        if (count > 8 * i) {
            x[i] = s2c_load_some_bytes(from + 8 * i, count - 8 * i);
        }
    }
    return (s2c_quads)x;
#endif
}

/* count, a literal, of 4 * S2C_INTS bytes. */
S2C_INLINE void s2c_store_some_quads(int8_t *to, s2c_quads x, int32_t count)
{
    if (count >= 4 * S2C_INTS) {
        *(s2c_quads_at *)(void *)to = x;
        return;
    }
#if S2C_INTS == 16
    _mm512_mask_storeu_epi8(to, (UINT64_C(1) << count) - 1, (__m512i)x);
#else
    for (int32_t i = 0; i < S2C_INTS / 2; i++) {
        if (count > 8 * i) {
            s2c_store_some_bytes(to + 8 * i, ((s2c_long_words)x)[i], count - 8 * i);
        }
    }
#endif
}

#endif
