/* The patch under one output pixel, gathered into scratch: [groups][taps][channels / groups], padding filled in.
   Which taps lie outside follows from the pixel alone. */
#ifndef S2C_PATCH_I8_H
#define S2C_PATCH_I8_H
#include "copy.h"

typedef struct {
    int32_t height, width, channels, kernel_height, kernel_width, stride_height, stride_width,
        dilation_height, dilation_width, pad_top, pad_left, output_height, output_width, groups, value;
} s2c_window;

S2C_INLINE void s2c_tap(int8_t *patch, const int8_t *image, int32_t tap, int32_t y, int32_t x, s2c_window p)
{
    const int32_t inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
    const int32_t size = p.channels / p.groups;
    const int32_t taps = p.kernel_height * p.kernel_width;
    for (int32_t g = 0; g < p.groups; g++) {
        int8_t *to = patch + (g * taps + tap) * size;
        if (inside) {
            s2c_copy(to, image + (y * p.width + x) * p.channels + g * size, size);
        } else {
            s2c_fill(to, p.value, size);
        }
    }
}

/* A row of taps that lies inside as a whole is one copy, where taps and channels are neighbours in memory. */
S2C_INLINE void s2c_patch(int8_t *patch, const int8_t *image, int32_t pixel, s2c_window p)
{
    const int32_t top = pixel / p.output_width * p.stride_height - p.pad_top;
    const int32_t left = pixel % p.output_width * p.stride_width - p.pad_left;
    const int32_t row = p.kernel_width * p.channels;
    const int32_t joined = p.groups == 1 && (p.dilation_width == 1 || p.kernel_width == 1);
    for (int32_t i = 0; i < p.kernel_height; i++) {
        const int32_t y = top + i * p.dilation_height;
        if (joined && y >= 0 && y < p.height && left >= 0 && left + p.kernel_width <= p.width) {
            s2c_copy(patch + i * row, image + (y * p.width + left) * p.channels, row);
        } else {
            for (int32_t j = 0; j < p.kernel_width; j++) {
                s2c_tap(patch, image, i * p.kernel_width + j, y, left + j * p.dilation_width, p);
            }
        }
    }
}

#endif
