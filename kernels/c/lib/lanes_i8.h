/* An int8 depthwise convolution, S2C_BLOCK channels at a time, or as many pixels as find room where channels are few; taps of
   a row of the window meet by fours. It reads a padded copy of the image in scratch, in which pixels that lie a
   stride apart are neighbours: [rows][stride_width][pixels][channels].
   weight [blocks], of each in s2c_zip's order the int32 that undo raised inputs, then [rows of the window][fours of
   taps][S2C_BLOCK][4]; bias, multiplier and shift [blocks][S2C_BLOCK] in that order. */
#ifndef S2C_LANES_I8_H
#define S2C_LANES_I8_H
#include "padded_i8.h"
#include "result_i8.h"
#include "zip_i8.h"

#define S2C_BLOCK 64 /* values; what the packings `tap_quads(.., 64)` and `tap_order(.., 64)` write */
#define S2C_BLOCK_PARTS (S2C_BLOCK / (4 * S2C_INTS))
#if S2C_INTS == 16
#define S2C_BLOCK_ROWS 5
#else
#define S2C_BLOCK_ROWS 2
#endif

/* A window of one column over a single column is one over a single row. */
S2C_INLINE s2c_window s2c_lying(s2c_window p)
{
    const s2c_window lying = {p.width,           p.height,       p.channels,      p.kernel_width,
                              p.kernel_height,   p.stride_width, p.stride_height, p.dilation_width,
                              p.dilation_height, p.pad_left,     p.pad_top,       p.output_width,
                              p.output_height,   p.groups,       p.value};
    return p.width == 1 && p.output_width == 1 && p.kernel_width == 1 ? lying : p;
}

/* Pixels of a row of the copy with the same rest by the stride. */
S2C_INLINE int32_t s2c_parted(s2c_window p)
{
    return (s2c_covered_columns(p) + p.stride_width - 1) / p.stride_width;
}

S2C_INLINE void s2c_part_row(int8_t *restrict to, const int8_t *restrict row, s2c_window p)
{
    const int32_t parted = s2c_parted(p);
    const int32_t padding = (int8_t)(p.value ^ S2C_RAISE);
    for (int32_t rest = 0; rest < p.stride_width; rest++) {
        for (int32_t i = 0; i < parted; i++) {
            const int32_t x = i * p.stride_width + rest - p.pad_left;
            if (x >= 0 && x < p.width) {
                s2c_raise_bytes(to, row + x * p.channels, p.channels);
            } else {
                s2c_fill(to, padding, p.channels);
            }
            to += p.channels;
        }
    }
}

/* The rows first .. last of the copy. */
S2C_INLINE void s2c_part(int8_t *restrict to, const int8_t *restrict image, s2c_range rows, s2c_window p)
{
    const int32_t size = s2c_parted(p) * p.stride_width * p.channels;
    if (p.stride_width == 1) {
        s2c_pad_raised(to, image, rows, p);
        return;
    }
    for (int32_t y = rows.first; y < rows.last; y++) {
        const int32_t row = y - p.pad_top;
        if (row < 0 || row >= p.height) {
            s2c_fill(to + y * size, (int8_t)(p.value ^ S2C_RAISE), size);
        } else {
            s2c_part_row(to + y * size, image + row * p.width * p.channels, p);
        }
    }
}

/* The vectors that a row of the window has four taps of, from `tap` on; input is its first one's. */
S2C_INLINE void s2c_load_taps(s2c_quads zipped[4], const int8_t *input, int32_t tap, s2c_window p)
{
    const int32_t size = s2c_parted(p) * p.channels;
    s2c_quads taps[4];
    S2C_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        const int32_t x = (tap + i < p.kernel_width ? tap + i : tap) * p.dilation_width;
        taps[i] = s2c_load_quads(input + x % p.stride_width * size + x / p.stride_width * p.channels);
    }
    s2c_zip(zipped, taps);
}

/* `rows` rows of the output, a literal, of S2C_INTS * 4 values, of which `count` are stored; `at`: the first of them in
   bias, multiplier and shift. input is under the first window. */
S2C_INLINE void s2c_block_rows(int8_t *output, const int8_t *input, const int8_t *weight, int32_t at,
                               int32_t rows, int32_t count, s2c_window p, s2c_result to)
{
    const int32_t fours = (p.kernel_width + 3) / 4;
    const int32_t pitch = s2c_parted(p) * p.stride_width * p.channels;
    const int32_t reach = (p.kernel_height - 1) * p.dilation_height;
    s2c_ints sums[S2C_BLOCK_ROWS][4];
    S2C_UNROLL
    for (int32_t j = 0; j < 4; j++) {
        s2c_ints first = s2c_load_ints(to.bias + at + 16 * j);
        if (S2C_RAISED) {
            first = s2c_add_ints(first, (s2c_ints)s2c_load_quads(weight + S2C_BLOCK * j));
        }
        S2C_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            sums[r][j] = first;
        }
    }
    weight += 4 * S2C_BLOCK;
    S2C_UNROLL
    for (int32_t y = 0; y <= (rows - 1) * p.stride_height + reach; y++) {
        for (int32_t four = 0; four < fours; four++) {
            s2c_quads x[4];
            s2c_load_taps(x, input + y * pitch, 4 * four, p);
            S2C_UNROLL
            for (int32_t r = 0; r < rows; r++) {
                const int32_t i = y - r * p.stride_height;
                if (i < 0 || i > reach || i % p.dilation_height != 0) {
                    continue;
                }
                const int8_t *w = weight + (i / p.dilation_height * fours + four) * 4 * S2C_BLOCK;
                S2C_UNROLL
                for (int32_t j = 0; j < 4; j++) {
                    sums[r][j] = s2c_dot(sums[r][j], x[j], s2c_load_quads(w + S2C_BLOCK * j));
                }
            }
        }
    }
    S2C_UNROLL
    for (int32_t j = 0; j < 4; j++) {
        const s2c_ints multiplier = s2c_load_ints(to.multiplier + at + 16 * j);
        const s2c_ints shift = s2c_widen(s2c_load_some_chars(to.shift + at + 16 * j, S2C_INTS));
        S2C_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            sums[r][j] = s2c_rescale_ints(sums[r][j], multiplier, shift, to.least_shift, to.most_shift,
                                          to.headroom, to.once, to.lo >= to.zero);
        }
    }
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        s2c_store_some_quads(output + r * p.output_width * p.channels,
                             s2c_join_chars(sums[r], to.zero, to.lo, to.hi), count);
    }
}

/* As s2c_block_rows, of a block. */
S2C_INLINE void s2c_block(int8_t *output, const int8_t *input, const int8_t *weight, int32_t at, int32_t rows,
                          int32_t count, s2c_window p, s2c_result to)
{
    S2C_UNROLL
    for (int32_t part = 0; part < S2C_BLOCK_PARTS; part++) {
        const int32_t first = part * 4 * S2C_INTS;
        if (first < count) {
            s2c_block_rows(output + first, input + first, weight + first, at + part * S2C_INTS, rows,
                           count - first, p, to);
        }
    }
}

/* `rows` rows of the output, a literal. */
S2C_INLINE void s2c_lane_rows(int8_t *output, const int8_t *input, const int8_t *weight, int32_t rows,
                              s2c_window p, s2c_result to)
{
    const int32_t bytes = 4 * S2C_BLOCK * (1 + p.kernel_height * ((p.kernel_width + 3) / 4));
    const int32_t pixels = p.channels <= S2C_BLOCK / 2 ? S2C_BLOCK / p.channels : 1;
    const int32_t whole = p.channels <= S2C_BLOCK / 2 ? 0 : p.channels / S2C_BLOCK * S2C_BLOCK;
    const int32_t last = p.output_width / pixels * pixels;
    for (int32_t x = 0; x < last; x += pixels) {
        for (int32_t c = 0; c < whole; c += S2C_BLOCK) {
            s2c_block(output + x * p.channels + c, input + x * p.channels + c, weight + c / S2C_BLOCK * bytes,
                      c, rows, S2C_BLOCK, p, to);
        }
        if (whole < p.channels) {
            s2c_block(output + x * p.channels + whole, input + x * p.channels + whole,
                      weight + whole / S2C_BLOCK * bytes, whole, rows, pixels * p.channels - whole, p, to);
        }
    }
    if (last < p.output_width) {
        s2c_block(output + last * p.channels, input + last * p.channels, weight, 0, rows,
                  (p.output_width - last) * p.channels, p, to);
    }
}

/* units: rows of the output, image by image; computed are the tiles of rows that begin there. */
S2C_INLINE void s2c_lanes_conv(int8_t *output, const int8_t *input, int8_t *scratch, const int8_t *weight,
                               int32_t batch, s2c_range units, s2c_window upright, s2c_result to)
{
    const s2c_window p = s2c_lying(upright);
    const int32_t pitch = s2c_parted(p) * p.stride_width * p.channels;
    const int32_t row = p.output_width * p.channels;
    const int32_t tiles = (p.output_height + S2C_BLOCK_ROWS - 1) / S2C_BLOCK_ROWS;
    const int32_t rows = (p.output_height + tiles - 1) / tiles;
    const int32_t whole = p.output_height / rows * rows;
    const int32_t reach = (p.kernel_height - 1) * p.dilation_height + 1;
    for (int32_t b = 0; b < batch; b++) {
        const s2c_range lines = s2c_range_in(units, b, p.output_height);
        const int32_t first = (lines.first + rows - 1) / rows * rows;
        const int32_t past = (lines.last + rows - 1) / rows * rows;
        const int32_t last = past < p.output_height ? past : p.output_height;
        if (first >= last) {
            continue;
        }
        const s2c_range read = {first * p.stride_height, (last - 1) * p.stride_height + reach};
        s2c_part(scratch, input + b * p.height * p.width * p.channels, read, p);
        int8_t *image = output + b * p.output_height * row;
        for (int32_t y = first; y < (last < whole ? last : whole); y += rows) {
            s2c_lane_rows(image + y * row, scratch + y * p.stride_height * pitch, weight, rows, p, to);
        }
        if (whole < last) {
            s2c_lane_rows(image + whole * row, scratch + whole * p.stride_height * pitch, weight,
                          p.output_height - whole, p, to);
        }
    }
}

#endif
