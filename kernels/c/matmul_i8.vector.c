/* matmul on int8: output[r, n] = clamp(zero + scale(bias[n] + sum over k of input[r, k] * weight[n, k])), in groups.
   weight [groups][panels], see lib/panels_i8.h; bias and multiplier int32 and shift int8 for each column of a panel.
   needs: vector
   pack: weight = quads(1, 16)
   pack: bias = spread(groups, columns, 16)
   pack: multiplier = spread(groups, columns, 16)
   pack: shift = spread(groups, columns, 16)
   tile: rows, columns, (depth + 3) // 4
   split: groups * ((columns + tile_columns - 1) // tile_columns) * ((rows + tile_rows - 1) // tile_rows)
   scratch: 4 + rows * groups * depth
   Constant: every loop runs over an extent. */
#include "lib/panel_matmul_i8.h"

S2C_INLINE void matmul_i8_vector(int8_t *restrict output, const int8_t *restrict input,
                                 int8_t *restrict scratch, const int8_t *weight, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int32_t rows, int32_t groups,
                                 int32_t columns, int32_t depth, int32_t scales, int32_t least_shift,
                                 int32_t most_shift, int32_t headroom, int32_t once, int32_t zero, int32_t lo,
                                 int32_t hi, int32_t tile_rows, int32_t tile_columns, int32_t first,
                                 int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    const s2c_addend none = (s2c_addend){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    s2c_panel_matmul_i8(output, input, output, scratch, weight, rows, groups, columns, depth, tile_rows,
                        tile_columns, units, result, none);
}
