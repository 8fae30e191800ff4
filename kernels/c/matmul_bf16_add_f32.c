/* matmul on floats rounded to bfloat16, with float sums, then the sum with an addend of the same shape, clamped.
   weight [groups][panels][depth / 2][16][2], bias for each output.
   in place: addend
   where: middle == rows * groups * columns
   needs: bf16
   pack: weight = bf16_pairs(depth)
   scratch: 4 * paired_floats
   tile: rows, columns
   split: groups * ((columns + tile_columns - 1) // tile_columns) * ((rows + tile_rows - 1) // tile_rows)
   Constant: every loop runs over an extent. */
#include "lib/panel_matmul_f32.h"

#if !defined(__AVX512BF16__)
#error "this net needs AVX512-BF16: compile it with -march=native, or as its manifest says"
#endif

S2C_INLINE void matmul_bf16_add_f32(float *output, const float *restrict input, const float *addend,
                                    float *restrict scratch, const uint32_t *restrict weight,
                                    const float *restrict bias, int32_t rows, int32_t groups, int32_t columns,
                                    int32_t depth, float lo, float hi, int32_t outer, int32_t middle,
                                    int32_t inner, float add_lo, float add_hi, int32_t tile_rows,
                                    int32_t tile_columns, int32_t first, int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_finish_f32 finish = {1, groups * columns, lo, hi, add_lo, add_hi};
    (void)outer, (void)middle, (void)inner;
    s2c_panel_matmul_f32(output, input, addend, scratch, (const float *)(const void *)weight, bias, rows,
                         groups, columns, depth, tile_rows, tile_columns, 1, units, finish);
}
