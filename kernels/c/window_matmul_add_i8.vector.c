/* window_matmul_i8 followed by TFLite's int8 ADD of an addend of the same shape.
   weight [groups][panels], see lib/panels_i8.h; bias and multiplier int32 and shift int8 for each column of a panel.
   in place: addend
   where: middle == rows * groups * columns
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

S2C_INLINE void window_matmul_add_i8_vector(
    int8_t *output, const int8_t *restrict input, const int8_t *addend, int8_t *restrict scratch,
    const int8_t *weight, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int32_t batch,
    int32_t height, int32_t width, int32_t channels, int32_t kernel_height, int32_t kernel_width,
    int32_t stride_height, int32_t stride_width, int32_t dilation_height, int32_t dilation_width,
    int32_t pad_top, int32_t pad_left, int32_t output_height, int32_t output_width, int32_t window_groups,
    int32_t value, int32_t rows, int32_t groups, int32_t columns, int32_t depth, int32_t scales,
    int32_t least_shift, int32_t most_shift, int32_t headroom, int32_t once, int32_t zero, int32_t lo,
    int32_t hi, int32_t outer, int32_t middle, int32_t inner, int32_t a_zero, int32_t a_multiplier,
    int32_t a_shift, int32_t b_zero, int32_t b_multiplier, int32_t b_shift, int32_t add_multiplier,
    int32_t add_shift, int32_t add_once, int32_t add_zero, int32_t add_lo, int32_t add_hi, int32_t tile_rows,
    int32_t tile_columns, int32_t first, int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_window window =
        (s2c_window){height,        width,         channels,        kernel_height,  kernel_width,
                     stride_height, stride_width,  dilation_height, dilation_width, pad_top,
                     pad_left,      output_height, output_width,    window_groups,  value};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    const s2c_addend add = (s2c_addend){
        1,         a_zero,   a_multiplier, a_shift, b_zero, b_multiplier, b_shift, add_multiplier,
        add_shift, add_once, add_zero,     add_lo,  add_hi};
    (void)rows, (void)groups, (void)depth, (void)outer, (void)middle, (void)inner;
    s2c_panel_conv_i8(output, input, addend, scratch, weight, batch, columns, tile_rows, tile_columns, units,
                      window, result, add);
}
