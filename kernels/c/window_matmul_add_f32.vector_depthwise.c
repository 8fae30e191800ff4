/* Depthwise convolution on floats, then the sum with an addend of the same shape, clamped.
   weight [taps][channels], bias for each channel.
   in place: addend
   needs: vector
   pack: weight = taps_first
   where: window_groups == channels and columns == 1 and value == 0 and middle == rows * groups * columns
   split: batch * output_height
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/depthwise_f32.h"

S2C_INLINE void window_matmul_add_f32_vector_depthwise(
    float *output, const float *restrict input, const float *addend, const float *restrict weight,
    const float *restrict bias, int32_t batch, int32_t height, int32_t width, int32_t channels,
    int32_t kernel_height, int32_t kernel_width, int32_t stride_height, int32_t stride_width,
    int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left, int32_t output_height,
    int32_t output_width, int32_t window_groups, float value, int32_t rows, int32_t groups, int32_t columns,
    int32_t depth, float lo, float hi, int32_t outer, int32_t middle, int32_t inner, float add_lo,
    float add_hi, int32_t first, int32_t last)
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
                                      1,
                                      lo,
                                      hi,
                                      add_lo,
                                      add_hi};
    (void)window_groups, (void)value, (void)rows, (void)groups, (void)columns, (void)depth;
    (void)outer, (void)middle, (void)inner;
    s2c_depthwise_conv_f32(output, input, addend, weight, bias, first, last, window);
}
