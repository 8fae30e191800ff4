/* Max pooling: the largest value under each output pixel, channel by channel; padding counts as `value`, the lowest.
   Selects from the first tap on, so NaN counts only as a patch's first tap.
   needs: vector
   split: batch * output_height
   where: window_groups == channels and size == kernel_height * kernel_width
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/taps.h"
#include "lib/vector_f32.h"

S2C_INLINE s2c_floats s2c_larger_floats(s2c_floats most, s2c_floats next)
{
    return s2c_choose_floats(next > most, next, most);
}

/* Of size, a literal, channels: image is at the first of them, first at tap [0][0], maybe before the image. */
S2C_INLINE s2c_floats s2c_largest_of_taps(const float *image, int32_t first, int32_t size, s2c_span lines,
                                          s2c_span taps, int32_t line_step, int32_t tap_step,
                                          s2c_floats start)
{
    s2c_floats most = start;
    for (int32_t i = lines.begin; i < lines.end; i++) {
        for (int32_t j = taps.begin; j < taps.end; j++) {
            const float *from = image + (first + i * line_step + j * tap_step);
            most = s2c_larger_floats(most, s2c_load_some_floats(from, size));
        }
    }
    return most;
}

S2C_INLINE void window_max_f32_vector(float *restrict output, const float *restrict input, int32_t batch,
                                      int32_t height, int32_t width, int32_t channels, int32_t kernel_height,
                                      int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                      int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                      int32_t pad_left, int32_t output_height, int32_t output_width,
                                      int32_t window_groups, float value, int32_t count, int32_t size,
                                      int32_t first, int32_t last)
{
    const s2c_floats lowest = s2c_all_floats(value);
    const int32_t whole = channels / S2C_FLOATS * S2C_FLOATS;
    const int32_t line_step = dilation_height * width * channels;
    const int32_t tap_step = dilation_width * channels;
    (void)batch, (void)window_groups, (void)count, (void)size;
    output += first * output_width * channels;
    for (int32_t row = first; row < last; row++) {
        const float *image = input + row / output_height * height * width * channels;
        const int32_t top = row % output_height * stride_height - pad_top;
        for (int32_t x = 0; x < output_width; x++) {
            const int32_t left = x * stride_width - pad_left;
            const s2c_span lines = s2c_taps_inside(top, height, kernel_height, dilation_height);
            const s2c_span taps = s2c_taps_inside(left, width, kernel_width, dilation_width);
            const int32_t begin = (top * width + left) * channels;
            const int32_t is_inside = lines.begin == 0 && taps.begin == 0 && lines.end > 0 && taps.end > 0;
            const int32_t is_whole = is_inside && lines.end == kernel_height && taps.end == kernel_width;
            for (int32_t c = 0; c < whole; c += S2C_FLOATS) {
                const s2c_floats start = is_inside ? s2c_load_floats(image + begin + c) : lowest;
                const s2c_floats most = s2c_largest_of_taps(image + c, begin, S2C_FLOATS, lines, taps,
                                                            line_step, tap_step, start);
                s2c_store_floats(output + c, is_whole ? most : s2c_larger_floats(most, lowest));
            }
            if (whole < channels) {
                const int32_t rest = channels - whole;
                const s2c_floats start =
                    is_inside ? s2c_load_some_floats(image + begin + whole, rest) : lowest;
                const s2c_floats most =
                    s2c_largest_of_taps(image + whole, begin, rest, lines, taps, line_step, tap_step, start);
                s2c_store_some_floats(output + whole, is_whole ? most : s2c_larger_floats(most, lowest),
                                      rest);
            }
            output += channels;
        }
    }
}
