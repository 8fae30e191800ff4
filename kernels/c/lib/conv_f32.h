/* A float convolution: each patch is gathered into scratch, [groups][taps][channels / groups], then contracted. */
#ifndef S2C_CONV_F32_H
#define S2C_CONV_F32_H
#include "rows_f32.h"

typedef struct {
    int32_t height, width, channels, kernel_height, kernel_width, stride_height, stride_width,
        dilation_height, dilation_width, pad_top, pad_left, output_height, output_width, groups;
    float value;
} s2c_window_f32;

/* Which taps lie outside follows from the pixel alone. */
S2C_INLINE void s2c_patch_f32(float *restrict patch, const float *restrict image, int32_t pixel,
                              s2c_window_f32 p)
{
    const int32_t top = pixel / p.output_width * p.stride_height - p.pad_top;
    const int32_t left = pixel % p.output_width * p.stride_width - p.pad_left;
    const int32_t taps = p.kernel_height * p.kernel_width;
    const int32_t size = p.channels / p.groups;
    for (int32_t tap = 0; tap < taps; tap++) {
        const int32_t y = top + tap / p.kernel_width * p.dilation_height;
        const int32_t x = left + tap % p.kernel_width * p.dilation_width;
        const int32_t inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
        const float *from = image + (inside ? (y * p.width + x) * p.channels : 0);
        for (int32_t g = 0; g < p.groups; g++) {
            float *to = patch + (g * taps + tap) * size;
            for (int32_t c = 0; c < size; c++) {
                to[c] = inside ? from[g * size + c] : p.value;
            }
        }
    }
}

S2C_INLINE void s2c_conv_f32(float *output, const float *input, const float *addend, int32_t present,
                             float *scratch, const float *weight, const float *bias, int32_t batch,
                             int32_t columns, int32_t depth, s2c_window_f32 window, float lo, float hi,
                             float add_lo, float add_hi)
{
    const int32_t pixels = window.output_height * window.output_width;
    for (int32_t b = 0; b < batch; b++) {
        const float *image = input + b * window.height * window.width * window.channels;
        for (int32_t pixel = 0; pixel < pixels; pixel++) {
            s2c_patch_f32(scratch, image, pixel, window);
            for (int32_t g = 0; g < window.groups; g++) {
                const int32_t to = ((b * pixels + pixel) * window.groups + g) * columns;
                s2c_row_f32(output + to, scratch + g * depth, present ? addend + to : output, present,
                            weight + g * columns * depth, bias + g * columns, columns, depth, lo, hi, add_lo,
                            add_hi);
            }
        }
    }
}

#endif
