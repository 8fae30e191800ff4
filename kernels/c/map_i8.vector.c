/* Any function of one int8: output[i] = table[input[i] + 128]. Where the processor looks up bytes in registers, the table
   stays there: half of it for numbers below zero, half for the others.
   in place: input
   needs: vector
   Constant: the table's 256 bytes are the only address that depends on data. */
#include "lib/vector_i8.h"

S2C_INLINE void map_i8_vector(int8_t *output, const int8_t *input, const int8_t *table, int32_t size)
{
#if defined(__AVX512VBMI__) && S2C_INTS == 16
    const __m512i first = _mm512_loadu_si512(table);
    const __m512i second = _mm512_loadu_si512(table + 64);
    const __m512i third = _mm512_loadu_si512(table + 128);
    const __m512i fourth = _mm512_loadu_si512(table + 192);
    for (int32_t i = 0; i < size; i += 64) {
        const __mmask64 there = size - i < 64 ? (UINT64_C(1) << (size - i)) - 1 : ~UINT64_C(0);
        const __m512i x = _mm512_maskz_loadu_epi8(there, input + i);
        const __m512i below = _mm512_permutex2var_epi8(first, x, second);
        const __m512i others = _mm512_permutex2var_epi8(third, x, fourth);
        const __m512i y = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), others, below);
        _mm512_mask_storeu_epi8(output + i, there, y);
    }
#else
    for (int32_t i = 0; i < size; i++) {
        output[i] = table[input[i] + 128];
    }
#endif
}
