/* An int8 convolution: two patches are gathered into scratch, then contracted as two rows of a matmul.
   A last odd pixel is paired with itself. */
#ifndef S2C_CONV_I8_H
#define S2C_CONV_I8_H
#include "patch_i8.h"
#include "rows_i8.h"

S2C_INLINE void s2c_conv(int8_t *output, const int8_t *input, const int8_t *addend_rows, int8_t *scratch,
                         const int8_t *weight, int32_t batch, int32_t columns, int32_t depth,
                         s2c_window window, s2c_result result, s2c_addend addend)
{
    const int32_t pixels = window.output_height * window.output_width;
    const int32_t patch = window.groups * depth;
    const int32_t width = window.groups * columns;
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * window.height * window.width * window.channels;
        for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
            const int32_t other = pixel + 1 < pixels ? pixel + 1 : pixel;
            s2c_patch(scratch, image, pixel, window);
            s2c_patch(scratch + patch, image, other, window);
            for (int32_t g = 0; g < window.groups; g++) {
                const int32_t to0 = (b * pixels + pixel) * width + g * columns;
                const int32_t to1 = (b * pixels + other) * width + g * columns;
                s2c_two_rows(output + to0, output + to1, scratch + g * depth, scratch + patch + g * depth,
                             addend.present ? addend_rows + to0 : output,
                             addend.present ? addend_rows + to1 : output, weight + g * columns * depth,
                             g * columns, columns, depth, result, addend);
            }
        }
    }
}

#endif
