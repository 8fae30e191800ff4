/* Depthwise convolution on int8: a group for each channel, one output in each.
   A pixel whose patch lies inside reads the input itself; one at the border reads a copy with the padding filled in.
   weight [channels][1][taps], bias and multiplier int32 and shift int8 for each channel (or one of the two scales).
   pack: weight = taps_first
   scratch: channels * depth
   where: window_groups == channels and columns == 1
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/depthwise_i8.h"
#include "lib/patch_i8.h"

S2C_INLINE void window_matmul_i8_depthwise(
    int8_t *restrict output, const int8_t *restrict input, int8_t *restrict scratch, const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int32_t batch, int32_t height,
    int32_t width, int32_t channels, int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
    int32_t stride_width, int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
    int32_t output_height, int32_t output_width, int32_t window_groups, int32_t value, int32_t rows,
    int32_t groups, int32_t columns, int32_t depth, int32_t scales, int32_t least_shift, int32_t most_shift,
    int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi)
{
    const s2c_window window = {height,         width,
                               channels,       kernel_height,
                               kernel_width,   stride_height,
                               stride_width,   dilation_height,
                               dilation_width, pad_top,
                               pad_left,       output_height,
                               output_width,   1,
                               value};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    (void)rows, (void)groups, (void)columns, (void)depth, (void)window_groups;
    const int32_t last_top = height - (kernel_height - 1) * dilation_height - 1;
    const int32_t last_left = width - (kernel_width - 1) * dilation_width - 1;
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            const int32_t inside = top >= 0 && top <= last_top && left >= 0 && left <= last_left;
            if (!inside) {
                s2c_patch(scratch, image, pixel, window);
            }
            const int8_t *x = inside ? image + (top * width + left) * channels : scratch;
            const int32_t row = inside ? dilation_height * width * channels : kernel_width * channels;
            const int32_t tap = inside ? dilation_width * channels : channels;
            s2c_depthwise_pixel(output, x, row, tap, weight, channels, kernel_height, kernel_width, result);
            output += channels;
        }
    }
}
