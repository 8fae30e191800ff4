/* What one core can multiply and add: independent chains in registers, as many as hide an instruction's latency. */
#include <stdint.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define CHAINS 12

#if defined(__AVX512VNNI__) || defined(__AVX512BF16__)
#include <immintrin.h>
#endif

/* Keeps a loop from being computed in another way. */
#if defined(__x86_64__)
#define KEEP(value) __asm__ volatile("" : "+v"(value))
#else
#define KEEP(value) __asm__ volatile("" : "+w"(value))
#endif

typedef float lanes __attribute__((vector_size(BYTES)));

/* MACs of one step of a loop below; 0 where the compiler's target has no such instruction. */
const int32_t s2c_f32_macs = CHAINS * (BYTES / 4);

/* A sum that depends on all chains, so that none is left out. */
float s2c_f32_peak(int64_t steps, float factor)
{
    lanes sum[CHAINS];
    lanes times = (lanes){0} + factor;
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = (lanes){0} + (float)i;
    }
    for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = sum[i] * times + times;
            KEEP(sum[i]);
        }
    }
    float total = 0.0F;
    for (int i = 0; i < CHAINS; i++) {
        total += sum[i][0];
    }
    return total;
}

#if defined(__AVX512VNNI__)
const int32_t s2c_i8_macs = CHAINS * 64;

int32_t s2c_i8_peak(int64_t steps, int32_t factor)
{
    __m512i sum[CHAINS];
    const __m512i times = _mm512_set1_epi8((char)factor);
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_epi32(i);
    }
    for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], times, times);
            KEEP(sum[i]);
        }
    }
    int32_t total = 0;
    for (int i = 0; i < CHAINS; i++) {
        total += _mm512_reduce_add_epi32(sum[i]);
    }
    return total;
}
#else
const int32_t s2c_i8_macs = 0;

int32_t s2c_i8_peak(int64_t steps, int32_t factor)
{
    return (int32_t)steps + factor;
}
#endif

#if defined(__AVX512BF16__)
const int32_t s2c_bf16_macs = CHAINS * 32;

float s2c_bf16_peak(int64_t steps, float factor)
{
    __m512 sum[CHAINS];
    const __m512 wide = _mm512_set1_ps(factor);
    const __m512bh times = _mm512_cvtne2ps_pbh(wide, wide);
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }
    for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbf16_ps(sum[i], times, times);
            KEEP(sum[i]);
        }
    }
    float total = 0.0F;
    for (int i = 0; i < CHAINS; i++) {
        total += _mm512_reduce_add_ps(sum[i]);
    }
    return total;
}
#else
const int32_t s2c_bf16_macs = 0;

float s2c_bf16_peak(int64_t steps, float factor)
{
    return (float)steps + factor;
}
#endif
