/* Average pooling and means on floats: output = clamp(factor * sum of the values under the pixel).
   Runs of 64 values are summed first, then their sums, and these of 64 kernel rows: rounding errors of long sums
   stay small.
   factor: one for each output pixel, or one for all (scales).
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/float.h"

S2C_INLINE void average_pool_f32(float *restrict output, const float *restrict input,
                                 const float *restrict factor, int32_t batch, int32_t height, int32_t width,
                                 int32_t channels, int32_t kernel_height, int32_t kernel_width,
                                 int32_t stride_height, int32_t stride_width, int32_t dilation_height,
                                 int32_t dilation_width, int32_t pad_top, int32_t pad_left,
                                 int32_t output_height, int32_t output_width, int32_t scales, float lo,
                                 float hi)
{
    for (int32_t b = 0; b < batch; b++) {
        const float *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            const int32_t at = scales == 1 ? 0 : pixel;
            for (int32_t c = 0; c < channels; c++) {
                float sum = 0.0F;
                float part = 0.0F;
                for (int32_t i = 0; i < kernel_height; i++) {
                    const int32_t y = top + i * dilation_height;
                    for (int32_t first = 0; first < kernel_width; first += 64) {
                        const int32_t end = first + 64 < kernel_width ? first + 64 : kernel_width;
                        float run = 0.0F;
                        for (int32_t j = first; j < end; j++) {
                            const int32_t x = left + j * dilation_width;
                            if (y >= 0 && y < height && x >= 0 && x < width) {
                                run += image[(y * width + x) * channels + c];
                            }
                        }
                        part += run;
                    }
                    if (i % 64 == 63) {
                        sum += part;
                        part = 0.0F;
                    }
                }
                *output++ = s2c_clamp_float((sum + part) * factor[at], lo, hi);
            }
        }
    }
}
