/* Convolution on floats along one line with padding: matmul of the window under each output.
   weight [panels][depth][16], bias for each output.
   needs: vector
   pack: weight = panels(16)
   where: height == 1 and kernel_height == 1 and output_height == 1 and pad_top == 0 and stride_width == 1 and window_groups == 1 and kernel_width <= 3 and value == 0 and padded_pixels > 0
   tile: output_width, columns
   Constant: loops run over extents, and which taps are padding follows from the output. */
#include "lib/line_conv_f32.h"

S2C_INLINE void window_matmul_f32_vector_line(
    float *restrict output, const float *restrict input, const float *restrict weight,
    const float *restrict bias, int32_t batch, int32_t height, int32_t width, int32_t channels,
    int32_t kernel_height, int32_t kernel_width, int32_t stride_height, int32_t stride_width,
    int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left, int32_t output_height,
    int32_t output_width, int32_t window_groups, float value, int32_t rows, int32_t groups, int32_t columns,
    int32_t depth, float lo, float hi, int32_t tile_rows, int32_t tile_columns)
{
    const s2c_line_window window = {width, channels, kernel_width, dilation_width, pad_left, output_width};
    const s2c_finish_f32 finish = {0, columns, lo, hi, lo, hi};
    (void)height, (void)kernel_height, (void)stride_height, (void)stride_width, (void)dilation_height;
    (void)pad_top, (void)output_height, (void)window_groups, (void)value, (void)rows, (void)groups,
        (void)depth;
    s2c_line_conv_f32(output, input, output, weight, bias, batch, columns, tile_rows, tile_columns, window,
                      finish);
}
