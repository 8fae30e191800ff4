/* The patch under each output pixel, [groups][taps][channels / groups]; padding reads `value`.
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/window.h"

S2C_INLINE void window_i8(int8_t *restrict output, const int8_t *restrict input, int32_t batch,
                          int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                          int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                          int32_t dilation_height, int32_t dilation_width, int32_t pad_top, int32_t pad_left,
                          int32_t output_height, int32_t output_width, int32_t window_groups, int32_t value)
{
    S2C_WINDOW(int8_t)
}
