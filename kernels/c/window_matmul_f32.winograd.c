/* A 3x3 convolution on floats by Winograd's minimal filtering; padding reads 0.
   weight [36][panels][channels][16], transformed; bias for each output.
   where: kernel_height == 3 and kernel_width == 3 and stride_height == 1 and stride_width == 1 and dilation_height == 1 and dilation_width == 1 and window_groups == 1 and value == 0 and channels >= 8 and columns >= 8 and output_height * output_width >= 64
   needs: vector
   pack: weight = winograd(channels)
   tile: winograd_tiles, columns, channels, 1
   split: batch * winograd_units
   scratch: 4 * winograd_floats
   Error: that of a plain sum; what is not finite spreads over its tile of 4x4 outputs.
   Constant: loops run over extents, and which pixels are padding follows from them. */
#include "lib/winograd_f32.h"

S2C_INLINE void
window_matmul_f32_winograd(float *restrict output, const float *restrict input, float *restrict scratch,
                           const float *restrict weight, const float *restrict bias, int32_t batch,
                           int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                           int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                           int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
                           int32_t output_height, int32_t output_width, int32_t window_groups, float value,
                           int32_t rows, int32_t groups, int32_t columns, int32_t depth, float lo, float hi,
                           int32_t tile_rows, int32_t tile_columns, int32_t first, int32_t last)
{
    const s2c_panel_window_f32 window = {batch,           height,         width,         channels,
                                         kernel_height,   kernel_width,   stride_height, stride_width,
                                         dilation_height, dilation_width, pad_top,       pad_left,
                                         output_height,   output_width,   window_groups, value};
    const s2c_range units = {first, last};
    const s2c_finish_f32 finish = {0, window_groups * columns, lo, hi, lo, hi};
    (void)rows, (void)groups, (void)depth;
    s2c_winograd_f32(output, input, output, scratch, weight, bias, columns, tile_rows, tile_columns, units,
                     window, finish);
}
