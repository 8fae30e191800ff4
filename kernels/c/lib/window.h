/* The loops of a window: the patch under each output pixel, [groups][taps][channels / groups]; padding reads `value`. */
#ifndef S2C_WINDOW_H
#define S2C_WINDOW_H
#include "base.h"

#define S2C_WINDOW(type)                                                                                     \
    const int32_t taps = kernel_height * kernel_width;                                                       \
    const int32_t size = channels / window_groups;                                                           \
    for (int32_t b = 0; b < batch; b++) {                                                                    \
        const type *image = input + b * height * width * channels;                                           \
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {                             \
            const int32_t top = pixel / output_width * stride_height - pad_top;                              \
            const int32_t left = pixel % output_width * stride_width - pad_left;                             \
            for (int32_t tap = 0; tap < taps; tap++) {                                                       \
                const int32_t y = top + tap / kernel_width * dilation_height;                                \
                const int32_t x = left + tap % kernel_width * dilation_width;                                \
                const int32_t inside = y >= 0 && y < height && x >= 0 && x < width;                          \
                const type *from = image + (inside ? (y * width + x) * channels : 0);                        \
                for (int32_t g = 0; g < window_groups; g++) {                                                \
                    for (int32_t c = 0; c < size; c++) {                                                     \
                        output[(g * taps + tap) * size + c] = inside ? from[g * size + c] : (type)value;     \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
            output += taps * channels;                                                                       \
        }                                                                                                    \
    }

#endif
