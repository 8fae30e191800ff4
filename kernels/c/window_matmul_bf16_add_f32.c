/* Convolution on floats rounded to bfloat16, with float sums: matmul of the patch under each output pixel; padding reads `value`, then the sum with an addend of the same shape, clamped.
   weight [groups][panels][depth / 2][16][2], bias for each output.
   in place: addend
   where: value == 0 and channels // window_groups % 2 == 0 and middle == rows * groups * columns
   needs: bf16
   pack: weight = bf16_pairs(channels // window_groups)
   tile: output_width * (output_width > 1) + output_height * (output_width == 1), columns
   split: batch * window_groups * ((columns + tile_columns - 1) // tile_columns) * line_tiles
   scratch: 2 * channels * covered_pixels
   Constant: loops run over extents, and which pixels are padding follows from them. */
#include "lib/panel_conv_f32.h"

#if !defined(__AVX512BF16__)
#error "this net needs AVX512-BF16: compile it with -march=native, or as its manifest says"
#endif

S2C_INLINE void window_matmul_bf16_add_f32(
    float *output, const float *restrict input, const float *addend, float *restrict scratch,
    const uint32_t *restrict weight, const float *restrict bias, int32_t batch, int32_t height, int32_t width,
    int32_t channels, int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
    int32_t stride_width, int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
    int32_t output_height, int32_t output_width, int32_t window_groups, float value, int32_t rows,
    int32_t groups, int32_t columns, int32_t depth, float lo, float hi, int32_t outer, int32_t middle,
    int32_t inner, float add_lo, float add_hi, int32_t tile_rows, int32_t tile_columns, int32_t first,
    int32_t last)
{
    const s2c_panel_window_f32 window = {batch,           height,         width,         channels,
                                         kernel_height,   kernel_width,   stride_height, stride_width,
                                         dilation_height, dilation_width, pad_top,       pad_left,
                                         output_height,   output_width,   window_groups, value};
    const s2c_range units = {first, last};
    const s2c_finish_f32 finish = {1, window_groups * columns, lo, hi, add_lo, add_hi};
    (void)rows, (void)groups, (void)outer, (void)middle, (void)inner;
    s2c_panel_conv_f32(output, input, addend, scratch, (const float *)(const void *)weight, bias, columns,
                       depth, tile_rows, tile_columns, 1, units, window, finish);
}
