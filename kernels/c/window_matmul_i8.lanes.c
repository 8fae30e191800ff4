/* Depthwise convolution on int8: a group for each channel, one output in each.
   weight, bias, multiplier and shift: see lib/lanes_i8.h.
   needs: vector
   where: window_groups == channels and columns == 1
   pack: weight = tap_quads((kernel_width + (kernel_height - kernel_width) * (width == 1 and output_width == 1 and kernel_width == 1)), 64)
   pack: bias = tap_order(channels, 64)
   pack: multiplier = tap_order(channels, 64)
   pack: shift = tap_order(channels, 64)
   split: batch * (output_height + (1 - output_height) * (width == 1 and output_width == 1 and kernel_width == 1))
   scratch: 128 + channels * ((output_height - 1) * stride_height + (kernel_height - 1) * dilation_height + stride_height) * ((output_width - 1) * stride_width + (kernel_width - 1) * dilation_width + stride_width)
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/lanes_i8.h"

S2C_INLINE void window_matmul_i8_lanes(
    int8_t *restrict output, const int8_t *restrict input, int8_t *restrict scratch, const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int32_t batch, int32_t height,
    int32_t width, int32_t channels, int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
    int32_t stride_width, int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
    int32_t output_height, int32_t output_width, int32_t window_groups, int32_t value, int32_t rows,
    int32_t groups, int32_t columns, int32_t depth, int32_t scales, int32_t least_shift, int32_t most_shift,
    int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi, int32_t first, int32_t last)
{
    const s2c_range units = {first, last};
    const s2c_window window = {height,         width,
                               channels,       kernel_height,
                               kernel_width,   stride_height,
                               stride_width,   dilation_height,
                               dilation_width, pad_top,
                               pad_left,       output_height,
                               output_width,   1,
                               value};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    (void)rows, (void)groups, (void)columns, (void)depth, (void)window_groups;
    s2c_lanes_conv(output, input, scratch, weight, batch, units, window, result);
}
