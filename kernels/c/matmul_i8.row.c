/* matmul_i8 for a single row: four columns share the loads of the input.
   weight [groups][columns][depth], bias and multiplier int32 and shift int8 for each output (or one of the two scales).
   pack: weight = interleave_4
   where: rows == 1
   Constant: every loop runs over an extent. */
#include "lib/rows_i8.h"

S2C_INLINE void matmul_i8_row(int8_t *restrict output, const int8_t *restrict input, const int8_t *weight,
                              const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                              int32_t rows, int32_t groups, int32_t columns, int32_t depth, int32_t scales,
                              int32_t least_shift, int32_t most_shift, int32_t headroom, int32_t once,
                              int32_t zero, int32_t lo, int32_t hi)
{
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    (void)rows;
    const int8_t *w = weight;
    for (int32_t g = 0; g < groups; g++) {
        const int8_t *x = input + g * depth;
        int32_t n = g * columns;
        const int32_t end = n + columns;
        for (; n + 4 <= end; n += 4) {
            int32_t s0 = bias[n];
            int32_t s1 = bias[n + 1];
            int32_t s2 = bias[n + 2];
            int32_t s3 = bias[n + 3];
            for (int32_t k = 0; k < depth; k++) {
                const int32_t a = x[k];
                s0 += a * w[0];
                s1 += a * w[1];
                s2 += a * w[2];
                s3 += a * w[3];
                w += 4;
            }
            output[n] = (int8_t)s2c_finish(s0, n, result);
            output[n + 1] = (int8_t)s2c_finish(s1, n + 1, result);
            output[n + 2] = (int8_t)s2c_finish(s2, n + 2, result);
            output[n + 3] = (int8_t)s2c_finish(s3, n + 3, result);
        }
        for (; n < end; n++) {
            int32_t sum = bias[n];
            for (int32_t k = 0; k < depth; k++) {
                sum += x[k] * w[k];
            }
            w += depth;
            output[n] = (int8_t)s2c_finish(sum, n, result);
        }
    }
}
