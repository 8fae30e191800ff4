/* Max pooling: the largest value under each output pixel, channel by channel; padding reads `value`, the lowest.
   Selects from the first tap on, so NaN counts only as a patch's first tap.
   where: window_groups == channels and size == kernel_height * kernel_width
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/float.h"

S2C_INLINE void window_max_f32(float *restrict output, const float *restrict input, int32_t batch,
                               int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                               int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                               int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                               int32_t pad_left, int32_t output_height, int32_t output_width,
                               int32_t window_groups, float value, int32_t count, int32_t size)
{
    (void)window_groups, (void)count, (void)size;
    for (int32_t b = 0; b < batch; b++) {
        const float *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            for (int32_t i = 0; i < kernel_height; i++) {
                const int32_t y = top + i * dilation_height;
                for (int32_t j = 0; j < kernel_width; j++) {
                    const int32_t x = left + j * dilation_width;
                    const int32_t inside = y >= 0 && y < height && x >= 0 && x < width;
                    const float *from = image + (inside ? (y * width + x) * channels : 0);
                    for (int32_t c = 0; c < channels; c++) {
                        const float next = inside ? from[c] : value;
                        const float most = i + j == 0 ? next : output[c];
                        output[c] = s2c_select(next > most, next, most);
                    }
                }
            }
            output += channels;
        }
    }
}
