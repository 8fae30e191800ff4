/* Convolution on int8: matmul_i8 of the patch under each output pixel; padding reads `value`, the zero point.
   weight [groups][columns][depth], bias and multiplier int32 and shift int8 for each output (or one of the two scales).
   pack: weight = interleave_2
   scratch: 2 * groups * depth
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/conv_i8.h"

S2C_INLINE void
window_matmul_i8(int8_t *restrict output, const int8_t *restrict input, int8_t *restrict scratch,
                 const int8_t *weight, const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                 int32_t batch, int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                 int32_t kernel_width, int32_t stride_height, int32_t stride_width, int32_t dilation_height,
                 int32_t dilation_width, int32_t pad_top, int32_t pad_left, int32_t output_height,
                 int32_t output_width, int32_t window_groups, int32_t value, int32_t rows, int32_t groups,
                 int32_t columns, int32_t depth, int32_t scales, int32_t least_shift, int32_t most_shift,
                 int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi)
{
    const s2c_window window =
        (s2c_window){height,        width,         channels,        kernel_height,  kernel_width,
                     stride_height, stride_width,  dilation_height, dilation_width, pad_top,
                     pad_left,      output_height, output_width,    window_groups,  value};
    const s2c_result result =
        (s2c_result){bias, multiplier, shift, scales, least_shift, most_shift, headroom, once, zero, lo, hi};
    const s2c_addend none = (s2c_addend){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    (void)rows, (void)groups;
    s2c_conv(output, input, 0, scratch, weight, batch, columns, depth, window, result, none);
}
