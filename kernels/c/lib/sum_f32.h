/* Sums of floats whose error does not grow with their number: runs of S2C_RUN values are summed as they come, then the
   runs, of which each addition's rounding error is kept (D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem
   B) and added at the end. */
#ifndef S2C_SUM_F32_H
#define S2C_SUM_F32_H
#include "float.h"

#define S2C_RUN 32
#define S2C_SUMS 8

/* sums[lane] = the sum of input[j * stride + lane] over j below size, of up to S2C_SUMS lanes. A lost part that is NaN,
   as it is beside an infinite sum, is left out. */
S2C_INLINE void s2c_sums(float *sums, const float *input, int32_t size, int32_t stride, int32_t lanes)
{
    float total[S2C_SUMS];
    float lost[S2C_SUMS];
    for (int32_t i = 0; i < S2C_SUMS; i++) {
        total[i] = 0.0F;
        lost[i] = 0.0F;
    }
    for (int32_t first = 0; first < size; first += S2C_RUN) {
        const int32_t end = size - first < S2C_RUN ? size : first + S2C_RUN;
        float run[S2C_SUMS];
        for (int32_t i = 0; i < S2C_SUMS; i++) {
            run[i] = 0.0F;
        }
        for (int32_t j = first; j < end; j++) {
            for (int32_t lane = 0; lane < lanes; lane++) {
                run[lane] += input[j * stride + lane];
            }
        }
        for (int32_t lane = 0; lane < lanes; lane++) {
            const float before = total[lane];
            const float now = before + run[lane];
            const float added = now - before;
            lost[lane] += (before - (now - added)) + (run[lane] - added);
            total[lane] = now;
        }
    }
    for (int32_t lane = 0; lane < lanes; lane++) {
        const float mended = total[lane] + lost[lane];
        sums[lane] = s2c_select(lost[lane] == lost[lane], mended, total[lane]);
    }
}

/* The sum of size neighbours: of every S2C_SUMS-th each, then of these and of the last few. */
S2C_INLINE float s2c_sum(const float *input, int32_t size)
{
    const int32_t rows = size / S2C_SUMS;
    float sums[S2C_SUMS];
    s2c_sums(sums, input, rows, S2C_SUMS, S2C_SUMS);
    float sum = sums[0];
    for (int32_t lane = 1; lane < S2C_SUMS; lane++) {
        sum += sums[lane];
    }
    for (int32_t j = rows * S2C_SUMS; j < size; j++) {
        sum += input[j];
    }
    return sum;
}

/* The sum of each of inner columns of size rows. */
S2C_INLINE void s2c_sum_columns(float *output, const float *input, int32_t size, int32_t inner)
{
    int32_t i = 0;
    for (; i + S2C_SUMS <= inner; i += S2C_SUMS) {
        s2c_sums(output + i, input + i, size, inner, S2C_SUMS);
    }
    for (; i < inner; i++) {
        s2c_sums(output + i, input + i, size, inner, 1);
    }
}

#endif
