/* Depthwise convolution on floats: a group for each channel, one output in each.
   weight [channels][1][taps], bias for each channel.
   pack: weight = taps_first
   where: window_groups == channels and columns == 1 and value == 0
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/rows_f32.h"

S2C_INLINE void window_matmul_f32_depthwise(float *restrict output, const float *restrict input,
                                            const float *restrict weight, const float *restrict bias,
                                            int32_t batch, int32_t height, int32_t width, int32_t channels,
                                            int32_t kernel_height, int32_t kernel_width,
                                            int32_t stride_height, int32_t stride_width,
                                            int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                            int32_t pad_left, int32_t output_height, int32_t output_width,
                                            int32_t window_groups, float value, int32_t rows, int32_t groups,
                                            int32_t columns, int32_t depth, float lo, float hi)
{
    (void)rows, (void)groups, (void)columns, (void)depth, (void)window_groups, (void)value;
    for (int32_t b = 0; b < batch; b++) {
        const float *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            int32_t c = 0;
            for (; c + S2C_LANES <= channels; c += S2C_LANES) {
                float sums[S2C_LANES];
                for (int32_t lane = 0; lane < S2C_LANES; lane++) {
                    sums[lane] = 0.0F;
                }
                for (int32_t i = 0; i < kernel_height; i++) {
                    const int32_t y = top + i * dilation_height;
                    for (int32_t j = 0; j < kernel_width; j++) {
                        const int32_t x = left + j * dilation_width;
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            const float *from = image + (y * width + x) * channels + c;
                            const float *w = weight + (i * kernel_width + j) * channels + c;
                            for (int32_t lane = 0; lane < S2C_LANES; lane++) {
                                sums[lane] += from[lane] * w[lane];
                            }
                        }
                    }
                }
                for (int32_t lane = 0; lane < S2C_LANES; lane++) {
                    output[c + lane] = s2c_clamp_float(sums[lane] + bias[c + lane], lo, hi);
                }
            }
            for (; c < channels; c++) {
                float sum = 0.0F;
                for (int32_t i = 0; i < kernel_height; i++) {
                    const int32_t y = top + i * dilation_height;
                    for (int32_t j = 0; j < kernel_width; j++) {
                        const int32_t x = left + j * dilation_width;
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            sum += image[(y * width + x) * channels + c] *
                                   weight[(i * kernel_width + j) * channels + c];
                        }
                    }
                }
                output[c] = s2c_clamp_float(sum + bias[c], lo, hi);
            }
            output += channels;
        }
    }
}
