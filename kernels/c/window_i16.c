/* The patch under each output pixel, [groups][taps][channels / groups]; padding reads `value`.
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/base.h"

S2C_INLINE void window_i16(int16_t *restrict output, const int16_t *restrict input, int32_t batch,
                           int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                           int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                           int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
                           int32_t output_height, int32_t output_width, int32_t window_groups, int32_t value)
{
    const int32_t taps = kernel_height * kernel_width;
    const int32_t size = channels / window_groups;
    for (int32_t b = 0; b < batch; b++) {
        const int16_t *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            for (int32_t tap = 0; tap < taps; tap++) {
                const int32_t y = top + tap / kernel_width * dilation_height;
                const int32_t x = left + tap % kernel_width * dilation_width;
                const int32_t inside = y >= 0 && y < height && x >= 0 && x < width;
                const int16_t *from = image + (inside ? (y * width + x) * channels : 0);
                for (int32_t g = 0; g < window_groups; g++) {
                    for (int32_t c = 0; c < size; c++) {
                        output[(g * taps + tap) * size + c] = inside ? from[g * size + c] : (int16_t)value;
                    }
                }
            }
            output += taps * channels;
        }
    }
}
