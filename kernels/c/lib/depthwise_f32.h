/* A float depthwise convolution: a group for each channel, one output in each. weight [taps][channels].
   The sums of several pixels of a line times several vectors of channels stay in registers while the taps go by.
   Where taps lie in the padding, which counts as zeros, follows from the pixel: they are left out, so nothing is copied.
   Each output is summed over its taps in order, from 0 on, and gets its bias last, on vectors of any width. */
#ifndef S2C_DEPTHWISE_F32_H
#define S2C_DEPTHWISE_F32_H
#include "taps.h"
#include "vector_f32.h"

#if defined(__AVX512F__) || defined(__aarch64__)
#define S2C_DEPTHWISE_SUMS 16 /* vectors, of 32 registers */
#else
#define S2C_DEPTHWISE_SUMS 8
#endif
#define S2C_DEPTHWISE_PIXELS 8

/* addend lies as the output does, and counts only where present is 1. */
typedef struct {
    int32_t batch, height, width, channels, kernel_height, kernel_width, stride_height, stride_width,
        dilation_height, dilation_width, pad_top, pad_left, output_height, output_width, present;
    float lo, hi, add_lo, add_hi;
} s2c_depthwise_f32;

/* Along one axis: the outputs all of whose taps are inside. */
S2C_INLINE s2c_span s2c_outputs_inside(int32_t outputs, int32_t extent, int32_t taps, int32_t stride,
                                       int32_t dilation, int32_t pad)
{
    const int32_t begin = (pad + stride - 1) / stride;
    const int32_t room = extent - 1 - (taps - 1) * dilation + pad;
    const int32_t end = room < 0 ? 0 : room / stride + 1;
    const s2c_span range = {begin < outputs ? begin : outputs, end < outputs ? end : outputs};
    const s2c_span none = {range.begin, range.begin};
    return range.end < range.begin ? none : range;
}

/* pixels, neighbours in a line, and size, channels, are literals; first: where in the image, or before it, the first
   pixel's tap [0][0] lies. */
S2C_INLINE void s2c_depthwise_tile_f32(float *output, const float *image, int32_t first, const float *addend,
                                       const float *weight, const float *bias, int32_t pixels, int32_t size,
                                       s2c_span lines, s2c_span taps, s2c_depthwise_f32 p)
{
    const int32_t vectors = (size + S2C_FLOATS - 1) / S2C_FLOATS;
    const int32_t step = p.stride_width * p.channels;
    s2c_floats sums[S2C_DEPTHWISE_PIXELS][S2C_DEPTHWISE_SUMS];
    S2C_UNROLL
    for (int32_t r = 0; r < pixels; r++) {
        S2C_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            sums[r][v] = s2c_all_floats(0.0F);
        }
    }
    for (int32_t i = lines.begin; i < lines.end; i++) {
        const int32_t line = first + i * p.dilation_height * p.width * p.channels;
        const float *row = weight + i * p.kernel_width * p.channels;
        for (int32_t j = taps.begin; j < taps.end; j++) {
            const float *x = image + line + j * p.dilation_width * p.channels;
            S2C_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                const int32_t c = v * S2C_FLOATS;
                const s2c_floats w = s2c_load_some_floats(row + j * p.channels + c, size - c);
                S2C_UNROLL
                for (int32_t r = 0; r < pixels; r++) {
                    const s2c_floats a = s2c_load_some_floats(x + r * step + c, size - c);
                    sums[r][v] = s2c_multiply_add(a, w, sums[r][v]);
                }
            }
        }
    }
    S2C_UNROLL
    for (int32_t r = 0; r < pixels; r++) {
        S2C_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const int32_t c = v * S2C_FLOATS;
            const int32_t place = r * p.channels + c;
            s2c_floats y = sums[r][v] + s2c_load_some_floats(bias + c, size - c);
            y = s2c_clamp_floats(y, p.lo, p.hi);
            if (p.present) {
                y = y + s2c_load_some_floats(addend + place, size - c);
                y = s2c_clamp_floats(y, p.add_lo, p.add_hi);
            }
            s2c_store_some_floats(output + place, y, size - c);
        }
    }
}

/* Which pixels of a line go together: all of one pixel's taps are inside from begin to end. */
typedef struct {
    int32_t begin, end, pixels;
} s2c_line;

/* Tiles of as equal a size as possible. */
S2C_INLINE s2c_line s2c_line_of(s2c_depthwise_f32 p, int32_t most)
{
    const s2c_span inside = s2c_outputs_inside(p.output_width, p.width, p.kernel_width, p.stride_width,
                                               p.dilation_width, p.pad_left);
    const int32_t count = inside.end - inside.begin;
    const int32_t tiles = (count + most - 1) / most;
    const s2c_line line = {inside.begin, inside.end, tiles > 0 ? (count + tiles - 1) / tiles : 1};
    return line;
}

/* The pixel x, at the border. */
S2C_INLINE void s2c_depthwise_pixel_f32(float *output, const float *image, int32_t first, const float *addend,
                                        const float *weight, const float *bias, int32_t x, int32_t size,
                                        s2c_span lines, s2c_depthwise_f32 p)
{
    const s2c_span taps =
        s2c_taps_inside(x * p.stride_width - p.pad_left, p.width, p.kernel_width, p.dilation_width);
    s2c_depthwise_tile_f32(output + x * p.channels, image, first + x * p.stride_width * p.channels,
                           addend + x * p.channels, weight, bias, 1, size, lines, taps, p);
}

/* size, a literal, channels of one line of outputs. */
S2C_INLINE void s2c_depthwise_line_f32(float *output, const float *image, int32_t first, const float *addend,
                                       const float *weight, const float *bias, int32_t size, int32_t most,
                                       s2c_span lines, s2c_depthwise_f32 p)
{
    const s2c_line line = s2c_line_of(p, most);
    const s2c_span all = {0, p.kernel_width};
    const int32_t step = p.stride_width * p.channels;
    const int32_t whole = line.begin + (line.end - line.begin) / line.pixels * line.pixels;
    for (int32_t x = 0; x < line.begin; x++) {
        s2c_depthwise_pixel_f32(output, image, first, addend, weight, bias, x, size, lines, p);
    }
    for (int32_t x = line.begin; x < whole; x += line.pixels) {
        s2c_depthwise_tile_f32(output + x * p.channels, image, first + x * step, addend + x * p.channels,
                               weight, bias, line.pixels, size, lines, all, p);
    }
    if (whole < line.end) {
        s2c_depthwise_tile_f32(output + whole * p.channels, image, first + whole * step,
                               addend + whole * p.channels, weight, bias, line.end - whole, size, lines, all,
                               p);
    }
    for (int32_t x = line.end; x < p.output_width; x++) {
        s2c_depthwise_pixel_f32(output, image, first, addend, weight, bias, x, size, lines, p);
    }
}

/* Some lines of outputs; channels in blocks of `block`, a literal, and what is left. */
S2C_INLINE void s2c_depthwise_image_f32(float *output, const float *image, const float *addend,
                                        const float *weight, const float *bias, int32_t block, int32_t most,
                                        s2c_span outputs, s2c_depthwise_f32 p)
{
    const int32_t whole = p.channels / block * block;
    for (int32_t y = outputs.begin; y < outputs.end; y++) {
        const int32_t top = y * p.stride_height - p.pad_top;
        const s2c_span lines = s2c_taps_inside(top, p.height, p.kernel_height, p.dilation_height);
        const int32_t first = (top * p.width - p.pad_left) * p.channels;
        const int32_t at = y * p.output_width * p.channels;
        for (int32_t c = 0; c < whole; c += block) {
            s2c_depthwise_line_f32(output + at + c, image, first + c, addend + at + c, weight + c, bias + c,
                                   block, most, lines, p);
        }
        if (whole < p.channels) {
            s2c_depthwise_line_f32(output + at + whole, image, first + whole, addend + at + whole,
                                   weight + whole, bias + whole, p.channels - whole, most, lines, p);
        }
    }
}

/* An image of one column is taken for one of one line. */
S2C_INLINE s2c_depthwise_f32 s2c_lying_f32(s2c_depthwise_f32 p)
{
    if (p.width != 1 || p.output_width != 1 || p.kernel_width != 1 || p.pad_left != 0) {
        return p;
    }
    const s2c_depthwise_f32 turned = {p.batch,   1,
                                      p.height,  p.channels,
                                      1,         p.kernel_height,
                                      1,         p.stride_height,
                                      1,         p.dilation_height,
                                      0,         p.pad_top,
                                      1,         p.output_height,
                                      p.present, p.lo,
                                      p.hi,      p.add_lo,
                                      p.add_hi};
    return turned;
}

/* The lines of all images, one after the other, from first up to last. */
S2C_INLINE void s2c_depthwise_conv_f32(float *output, const float *input, const float *addend,
                                       const float *weight, const float *bias, int32_t first, int32_t last,
                                       s2c_depthwise_f32 standing)
{
    const s2c_depthwise_f32 p = s2c_lying_f32(standing);
    const int32_t most = p.output_width < S2C_DEPTHWISE_PIXELS ? p.output_width : S2C_DEPTHWISE_PIXELS;
    const int32_t vectors = (p.channels + S2C_FLOATS - 1) / S2C_FLOATS;
    const int32_t fitting = S2C_DEPTHWISE_SUMS / most;
    const int32_t block = (fitting < vectors ? fitting : vectors) * S2C_FLOATS;
    for (int32_t b = 0; b < p.batch; b++) {
        const int32_t begin = first - b * standing.output_height;
        const int32_t end = last - b * standing.output_height;
        /* A line that lies goes with the first of those that stood. */
        const s2c_span outputs = {begin < 0 ? 0 : begin, end < p.output_height ? end : p.output_height};
        const int32_t to = b * p.output_height * p.output_width * p.channels;
        s2c_depthwise_image_f32(output + to, input + b * p.height * p.width * p.channels, addend + to, weight,
                                bias, block, most, outputs, p);
    }
}

#endif
