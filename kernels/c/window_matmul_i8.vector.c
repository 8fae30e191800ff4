/* Convolution on int8: matmul_i8 of the patch under each output pixel; padding reads `value`, the zero point.
   weight [groups][panels], see lib/panels_i8.h; bias and multiplier int32 and shift int8 for each column of a panel.
   needs: vector
   pack: weight = quads(kernel_height * (kernel_width + (1 - kernel_width) * (dilation_width == 1 and window_groups == 1)), 16)
   pack: bias = spread(groups, columns, 16)
   pack: multiplier = spread(groups, columns, 16)
   pack: shift = spread(groups, columns, 16)
   tile: output_width * (output_width > 1) + output_height * (output_width == 1), columns, (depth + 3) // 4
   split: batch * window_groups * ((columns + tile_columns - 1) // tile_columns) * line_tiles
   scratch: 4 + channels * ((output_height - 1) * stride_height + (kernel_height - 1) * dilation_height + 1) * ((output_width - 1) * stride_width + (kernel_width - 1) * dilation_width + 1)
   Constant: loops run over extents, and which pixels are padding follows from them. */
#include "lib/panel_conv_i8.h"

S2C_INLINE void window_matmul_i8_vector(
    int8_t *restrict output, const int8_t *restrict input, int8_t *restrict scratch, const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int32_t batch, int32_t height,
    int32_t width, int32_t channels, int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
    int32_t stride_width, int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
    int32_t output_height, int32_t output_width, int32_t window_groups, int32_t value, int32_t rows,
    int32_t groups, int32_t columns, int32_t depth, int32_t scales, int32_t least_shift, int32_t most_shift,
    int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi, int32_t tile_rows,
    int32_t tile_columns, int32_t first, int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_window window =
        (s2c_window){height,        width,         channels,        kernel_height,  kernel_width,
                     stride_height, stride_width,  dilation_height, dilation_width, pad_top,
                     pad_left,      output_height, output_width,    window_groups,  value};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    const s2c_addend none = (s2c_addend){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    (void)rows, (void)groups, (void)depth;
    s2c_panel_conv_i8(output, input, output, scratch, weight, batch, columns, tile_rows, tile_columns, units,
                      window, result, none);
}
