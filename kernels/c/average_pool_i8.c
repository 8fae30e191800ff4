/* Average pooling and means on int8: output = clamp(zero + scale(bias + sum of the values under the pixel)).
   bias int32, multiplier int32, shift int8: one for each output pixel, or one for all (scales).
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/requantize.h"

S2C_INLINE void average_pool_i8(int8_t *restrict output, const int8_t *restrict input, const int32_t *bias,
                                const int32_t *multiplier, const int8_t *shift, int32_t batch, int32_t height,
                                int32_t width, int32_t channels, int32_t kernel_height, int32_t kernel_width,
                                int32_t stride_height, int32_t stride_width, int32_t dilation_height,
                                int32_t dilation_width, int32_t pad_top, int32_t pad_left,
                                int32_t output_height, int32_t output_width, int32_t scales,
                                int32_t least_shift, int32_t most_shift, int32_t headroom, int32_t once,
                                int32_t zero, int32_t lo, int32_t hi)
{
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            const int32_t at = scales == 1 ? 0 : pixel;
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = bias[at];
                for (int32_t i = 0; i < kernel_height; i++) {
                    const int32_t y = top + i * dilation_height;
                    for (int32_t j = 0; j < kernel_width; j++) {
                        const int32_t x = left + j * dilation_width;
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            sum += image[(y * width + x) * channels + c];
                        }
                    }
                }
                const int32_t scaled =
                    s2c_rescale(sum, multiplier[at], shift[at], least_shift, most_shift, headroom, once);
                *output++ = (int8_t)s2c_clamp(scaled + zero, lo, hi);
            }
        }
    }
}
