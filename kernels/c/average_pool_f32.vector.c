/* Average pooling and means on floats: output = clamp(factor * sum of the values under the pixel).
   Runs of 64 values are summed first, then their sums, and these of 64 kernel rows: rounding errors of long sums
   stay small. A channel's values are added in one order on vectors of any width.
   factor: one for each output pixel, or one for all (scales).
   needs: vector
   Constant: loops run over extents, and which taps are padding follows from the pixel. */
#include "lib/taps.h"
#include "lib/vector_f32.h"

/* The sum of size, a literal, channels' values: image is at the first of them, first at tap [0][0], maybe before the image. */
S2C_INLINE s2c_floats s2c_sum_of_taps(const float *image, int32_t first, int32_t size, s2c_span lines,
                                      s2c_span taps, int32_t line_step, int32_t tap_step)
{
    s2c_floats sum = s2c_all_floats(0.0F);
    s2c_floats part = s2c_all_floats(0.0F);
    for (int32_t i = lines.begin; i < lines.end; i++) {
        for (int32_t run = taps.begin; run < taps.end; run += 64) {
            const int32_t end = run + 64 < taps.end ? run + 64 : taps.end;
            s2c_floats run_sum = s2c_all_floats(0.0F);
            for (int32_t j = run; j < end; j++) {
                run_sum =
                    run_sum + s2c_load_some_floats(image + (first + i * line_step + j * tap_step), size);
            }
            part = part + run_sum;
        }
        if (i % 64 == 63) {
            sum = sum + part;
            part = s2c_all_floats(0.0F);
        }
    }
    return sum + part;
}

S2C_INLINE void average_pool_f32_vector(float *restrict output, const float *restrict input,
                                        const float *restrict factor, int32_t batch, int32_t height,
                                        int32_t width, int32_t channels, int32_t kernel_height,
                                        int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                        int32_t dilation_height, int32_t dilation_width, int32_t pad_top,
                                        int32_t pad_left, int32_t output_height, int32_t output_width,
                                        int32_t scales, float lo, float hi)
{
    const int32_t whole = channels / S2C_FLOATS * S2C_FLOATS;
    const int32_t line_step = dilation_height * width * channels;
    const int32_t tap_step = dilation_width * channels;
    for (int32_t b = 0; b < batch; b++) {
        const float *image = input + b * height * width * channels;
        for (int32_t pixel = 0; pixel < output_height * output_width; pixel++) {
            const int32_t top = pixel / output_width * stride_height - pad_top;
            const int32_t left = pixel % output_width * stride_width - pad_left;
            const s2c_span lines = s2c_taps_inside(top, height, kernel_height, dilation_height);
            const s2c_span taps = s2c_taps_inside(left, width, kernel_width, dilation_width);
            const int32_t first = (top * width + left) * channels;
            const float scale = factor[scales == 1 ? 0 : pixel];
            for (int32_t c = 0; c < whole; c += S2C_FLOATS) {
                const s2c_floats sum =
                    s2c_sum_of_taps(image + c, first, S2C_FLOATS, lines, taps, line_step, tap_step);
                s2c_store_floats(output + c, s2c_clamp_floats(sum * scale, lo, hi));
            }
            if (whole < channels) {
                const s2c_floats sum =
                    s2c_sum_of_taps(image + whole, first, channels - whole, lines, taps, line_step, tap_step);
                s2c_store_some_floats(output + whole, s2c_clamp_floats(sum * scale, lo, hi),
                                      channels - whole);
            }
            output += channels;
        }
    }
}
