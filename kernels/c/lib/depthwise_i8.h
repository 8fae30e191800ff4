/* One output pixel of an int8 depthwise convolution, four channels at a time; weight [taps][channels].
   row and tap are the distances in memory between the patch's rows and between its columns. */
#ifndef S2C_DEPTHWISE_I8_H
#define S2C_DEPTHWISE_I8_H
#include "rows_i8.h"

S2C_INLINE void s2c_depthwise_pixel(int8_t *output, const int8_t *input, int32_t row, int32_t tap,
                                    const int8_t *weight, int32_t channels, int32_t kernel_height,
                                    int32_t kernel_width, s2c_result result)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        int32_t s0 = result.bias[c];
        int32_t s1 = result.bias[c + 1];
        int32_t s2 = result.bias[c + 2];
        int32_t s3 = result.bias[c + 3];
        const int8_t *w = weight + c;
        const int8_t *line = input + c;
        for (int32_t i = 0; i < kernel_height; i++) {
            const int8_t *x = line;
            for (int32_t j = 0; j < kernel_width; j++) {
                s0 += x[0] * w[0];
                s1 += x[1] * w[1];
                s2 += x[2] * w[2];
                s3 += x[3] * w[3];
                x += tap;
                w += channels;
            }
            line += row;
        }
        output[c] = (int8_t)s2c_finish(s0, c, result);
        output[c + 1] = (int8_t)s2c_finish(s1, c + 1, result);
        output[c + 2] = (int8_t)s2c_finish(s2, c + 2, result);
        output[c + 3] = (int8_t)s2c_finish(s3, c + 3, result);
    }
    for (; c < channels; c++) {
        int32_t sum = result.bias[c];
        const int8_t *w = weight + c;
        for (int32_t i = 0; i < kernel_height; i++) {
            for (int32_t j = 0; j < kernel_width; j++) {
                sum += input[i * row + j * tap + c] * w[0];
                w += channels;
            }
        }
        output[c] = (int8_t)s2c_finish(sum, c, result);
    }
}

#endif
