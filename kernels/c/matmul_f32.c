/* matmul on floats: output[r, n] = clamp(bias[n] + sum over k of input[r, k] * weight[n, k]), in groups.
   weight [groups][columns][depth], bias for each output.
   pack: weight = interleave_8
   Constant: every loop runs over an extent. */
#include "lib/rows_f32.h"

S2C_INLINE void matmul_f32(float *restrict output, const float *restrict input, const float *restrict weight,
                           const float *restrict bias, int32_t rows, int32_t groups, int32_t columns,
                           int32_t depth, float lo, float hi)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t g = 0; g < groups; g++) {
            const int32_t to = (r * groups + g) * columns;
            s2c_row_f32(output + to, input + (r * groups + g) * depth, output, 0,
                        weight + g * columns * depth, bias + g * columns, columns, depth, lo, hi, lo, hi);
        }
    }
}
