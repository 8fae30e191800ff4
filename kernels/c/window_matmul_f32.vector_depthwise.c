/* Depthwise convolution on floats: a group for each channel, one output in each.
   weight [taps][channels], bias for each channel.
   needs: vector
   pack: weight = taps_first
   where: window_groups == channels and columns == 1 and value == 0
   split: batch * output_height
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/depthwise_f32.h"

S2C_INLINE void window_matmul_f32_vector_depthwise(
    float *restrict output, const float *restrict input, const float *restrict weight,
    const float *restrict bias, int32_t batch, int32_t height, int32_t width, int32_t channels,
    int32_t kernel_height, int32_t kernel_width, int32_t stride_height, int32_t stride_width,
    int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left, int32_t output_height,
    int32_t output_width, int32_t window_groups, float value, int32_t rows, int32_t groups, int32_t columns,
    int32_t depth, float lo, float hi, int32_t first, int32_t last)
{
    const s2c_depthwise_f32 window = {batch,
                                      height,
                                      width,
                                      channels,
                                      kernel_height,
                                      kernel_width,
                                      stride_height,
                                      stride_width,
                                      dilation_height,
                                      dilation_width,
                                      pad_top,
                                      pad_left,
                                      output_height,
                                      output_width,
                                      0,
                                      lo,
                                      hi,
                                      lo,
                                      hi};
    (void)window_groups, (void)value, (void)rows, (void)groups, (void)columns, (void)depth;
    s2c_depthwise_conv_f32(output, input, output, weight, bias, first, last, window);
}
