/* matmul on floats: output[r, n] = clamp(bias[n] + sum over k of input[r, k] * weight[n, k]), in groups.
   weight [groups][panels][depth][16], bias for each output.
   needs: vector
   pack: weight = panels(16)
   scratch: 4 * crowded_floats
   tile: rows, columns
   split: groups * ((columns + tile_columns - 1) // tile_columns) * ((rows + tile_rows - 1) // tile_rows)
   Constant: every loop runs over an extent. */
#include "lib/panel_matmul_f32.h"

S2C_INLINE void matmul_f32_vector(float *restrict output, const float *restrict input,
                                  float *restrict scratch, const float *restrict weight,
                                  const float *restrict bias, int32_t rows, int32_t groups, int32_t columns,
                                  int32_t depth, float lo, float hi, int32_t tile_rows, int32_t tile_columns,
                                  int32_t first, int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_finish_f32 finish = {0, groups * columns, lo, hi, lo, hi};
    s2c_panel_matmul_f32(output, input, output, scratch, weight, bias, rows, groups, columns, depth,
                         tile_rows, tile_columns, 0, units, finish);
}
