/* Max pooling: the largest value under each output pixel, a vector of channels at a time; padding reads `value`, the
   lowest.
   where: window_groups == channels and size == kernel_height * kernel_width
   needs: vector
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/zip_i8.h"

#define S2C_CHARS (4 * S2C_INTS) /* channels of a vector */

typedef struct {
    int32_t height, width, channels, kernel_height, kernel_width, dilation_height, dilation_width, value;
} s2c_pooled;

/* Of the window at top, left: count, a literal, channels from c on. */
S2C_INLINE void s2c_largest_chars(int8_t *output, const int8_t *image, int32_t top, int32_t left, int32_t c,
                                  int32_t count, s2c_pooled p)
{
    const s2c_quads padding = (int8_t)p.value - (s2c_quads){0};
    s2c_quads most = INT8_MIN - (s2c_quads){0};
    for (int32_t i = 0; i < p.kernel_height; i++) {
        const int32_t y = top + i * p.dilation_height;
        for (int32_t j = 0; j < p.kernel_width; j++) {
            const int32_t x = left + j * p.dilation_width;
            const int32_t inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
            s2c_quads next = padding;
            if (inside) {
                next = s2c_load_some_quads(image + (y * p.width + x) * p.channels + c, count);
            }
            const s2c_quads is_larger = next > most;
            most = (next & is_larger) | (most & ~is_larger);
        }
    }
    s2c_store_some_quads(output + c, most, count);
}

S2C_INLINE void window_max_i8_vector(int8_t *restrict output, const int8_t *restrict input, int32_t batch,
                                     int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                                     int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                     int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                     int32_t pad_left, int32_t output_height, int32_t output_width,
                                     int32_t window_groups, int32_t value, int32_t count, int32_t size)
{
    (void)window_groups, (void)count, (void)size;
    const s2c_pooled p = {height,       width,           channels,       kernel_height,
                          kernel_width, dilation_height, dilation_width, value};
    const int32_t whole = channels / S2C_CHARS * S2C_CHARS;
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            for (int32_t c = 0; c < whole; c += S2C_CHARS) {
                s2c_largest_chars(output, image, top, left, c, S2C_CHARS, p);
            }
            if (whole < channels) {
                s2c_largest_chars(output, image, top, left, whole, channels - whole, p);
            }
            output += channels;
        }
    }
}
