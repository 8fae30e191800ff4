/* Average pooling and means on int8: output = clamp(zero + scale(bias + sum of the values under the pixel)).
   bias int32, multiplier int32, shift int8: one for each output pixel, or one for all (scales).
   needs: vector
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/result_i8.h"
#include "lib/vector_i8.h"

typedef struct {
    int32_t height, width, channels, kernel_height, kernel_width, dilation_height, dilation_width;
} s2c_pool_window;

/* One output pixel, `count` channels of it, a literal; at: its entry of bias, multiplier and shift. */
S2C_INLINE void s2c_pool_lanes(int8_t *output, const int8_t *image, int32_t top, int32_t left, int32_t at,
                               int32_t count, s2c_pool_window p, s2c_result to)
{
    s2c_ints sum = s2c_all_ints(to.bias[at]);
    for (int32_t i = 0; i < p.kernel_height; i++) {
        const int32_t y = top + i * p.dilation_height;
        for (int32_t j = 0; j < p.kernel_width; j++) {
            const int32_t x = left + j * p.dilation_width;
            if (y >= 0 && y < p.height && x >= 0 && x < p.width) {
                sum = s2c_add_ints(
                    sum, s2c_widen(s2c_load_some_chars(image + (y * p.width + x) * p.channels, count)));
            }
        }
    }
    const s2c_ints y =
        s2c_rescale_ints(sum, s2c_all_ints(to.multiplier[at]), s2c_all_ints(to.shift[at]), to.least_shift,
                         to.most_shift, to.headroom, to.once, to.lo >= to.zero) +
        to.zero;
    s2c_store_some_chars(output, s2c_narrow(y, to.lo, to.hi), count);
}

S2C_INLINE void average_pool_i8_vector(int8_t *restrict output, const int8_t *restrict input,
                                       const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                       int32_t batch, int32_t height, int32_t width, int32_t channels,
                                       int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
                                       int32_t stride_width, int32_t dilation_height, int32_t dilation_width,
                                       int32_t pad_top, int32_t pad_left, int32_t output_height,
                                       int32_t output_width, int32_t scales, int32_t least_shift,
                                       int32_t most_shift, int32_t headroom, int32_t once, int32_t zero,
                                       int32_t lo, int32_t hi)
{
    const s2c_pool_window window = {height,       width,           channels,      kernel_height,
                                    kernel_width, dilation_height, dilation_width};
    const s2c_result result = {bias,     multiplier, shift, scales, least_shift, most_shift,
                               headroom, once,       zero,  lo,     hi};
    const int32_t whole = channels / S2C_INTS * S2C_INTS;
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            const int32_t at = scales == 1 ? 0 : pixel;
            for (int32_t c = 0; c < whole; c += S2C_INTS) {
                s2c_pool_lanes(output + c, image + c, top, left, at, S2C_INTS, window, result);
            }
            if (whole < channels) {
                s2c_pool_lanes(output + whole, image + whole, top, left, at, channels - whole, window,
                               result);
            }
            output += channels;
        }
    }
}
