/* matmul on floats: output[r, n] = clamp(bias[n] + sum over k of input[r, k] * weight[n, k]), in groups, then the sum with an addend of the same shape, clamped.
   weight [groups][columns][depth], bias for each output.
   pack: weight = interleave_8
   in place: addend
   where: middle == rows * groups * columns
   Constant: every loop runs over an extent. */
#include "lib/rows_f32.h"

S2C_INLINE void matmul_add_f32(float *output, const float *restrict input, const float *addend,
                               const float *restrict weight, const float *restrict bias, int32_t rows,
                               int32_t groups, int32_t columns, int32_t depth, float lo, float hi,
                               int32_t outer, int32_t middle, int32_t inner, float add_lo, float add_hi)
{
    (void)outer, (void)middle, (void)inner;
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t g = 0; g < groups; g++) {
            const int32_t to = (r * groups + g) * columns;
            s2c_row_f32(output + to, input + (r * groups + g) * depth, addend + to, 1,
                        weight + g * columns * depth, bias + g * columns, columns, depth, lo, hi, add_lo,
                        add_hi);
        }
    }
}
