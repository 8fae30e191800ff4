/* matmul of int16 with int8 weights: output[r, n] = clamp(zero + scale(bias[n] + sum over k of input[r, k] * weight[n, k])),
   in groups. weight [groups][columns][depth], bias int64, multiplier int32 and shift int8 for each output (or one of the
   two scales). The sum is int64; where once is 1 it fits into int32, and multiplier and fraction are one number.
   Constant: every loop runs over an extent. */
#include "lib/requantize.h"
#include "lib/scale_wide.h"

S2C_INLINE void matmul_i16(int16_t *restrict output, const int16_t *restrict input,
                           const int8_t *restrict weight, const int64_t *restrict bias,
                           const int32_t *restrict multiplier, const int32_t *restrict fraction,
                           const int8_t *restrict shift, int32_t rows, int32_t groups, int32_t columns,
                           int32_t depth, int32_t scales, int32_t once, int32_t zero, int32_t lo, int32_t hi)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t n = 0; n < groups * columns; n++) {
            const int16_t *from = input + (r * groups + n / columns) * depth;
            const int32_t at = scales == 1 ? 0 : n;
            int64_t sum = bias[n];
            for (int32_t k = 0; k < depth; k++) {
                sum += from[k] * weight[n * depth + k];
            }
            const int64_t wide = s2c_scale_wide(sum, multiplier[at], shift[at]);
            const int64_t split = s2c_scale_split(sum, multiplier[at], fraction[at], shift[at]);
            const int32_t scaled = (int32_t)(once != 0 ? split : wide);
            output[r * groups * columns + n] = (int16_t)s2c_clamp(scaled + zero, lo, hi);
        }
    }
}
