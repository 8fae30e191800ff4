/* A float convolution by panels along one line with padding, which counts as zeros: the outputs fall into stretches all of
   whose windows hold the same taps, so that neither the padding is copied nor its products are taken. */
#ifndef S2C_LINE_CONV_F32_H
#define S2C_LINE_CONV_F32_H
#include "panels_f32.h"

typedef struct {
    int32_t width, channels, taps, dilation, pad, outputs;
} s2c_line_window;

/* Of the outputs first .. last the taps from begin up to end meet the input. */
typedef struct {
    int32_t first, last, begin, end;
} s2c_stretch;

S2C_INLINE int32_t s2c_lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* The stretch that starts at the output first. */
S2C_INLINE s2c_stretch s2c_stretch_from(int32_t first, s2c_line_window p)
{
    const int32_t missing = p.pad - first;
    const int32_t begin = missing <= 0 ? 0 : s2c_lesser((missing + p.dilation - 1) / p.dilation, p.taps);
    const int32_t left = p.width - 1 + missing;
    const int32_t end = left < 0 ? 0 : s2c_lesser(left / p.dilation + 1, p.taps);
    const int32_t enters = begin > 0 ? p.pad - (begin - 1) * p.dilation : p.outputs;
    const int32_t leaves = end > 0 ? p.width + p.pad - (end - 1) * p.dilation : p.outputs;
    const s2c_stretch found = {first, s2c_lesser(s2c_lesser(enters, leaves), p.outputs), begin, end};
    return found;
}

/* Tiles of as equal a size as possible; columns is a literal. */
S2C_INLINE void s2c_stretch_f32(float *output, const float *input, const float *addend, const float *weight,
                                const float *bias, int32_t columns, int32_t tile_rows, s2c_stretch of,
                                s2c_line_window p, s2c_finish_f32 finish)
{
    const int32_t count = of.last - of.first;
    const int32_t tiles = (count + tile_rows - 1) / tile_rows;
    const int32_t rows = tiles > 0 ? (count + tiles - 1) / tiles : 1;
    const int32_t whole = of.first + count / rows * rows;
    const s2c_source_f32 source = {
        1, 0, of.end - of.begin, p.dilation * p.channels, p.channels, p.taps * p.channels, p.channels, 0, 0};
    const float *w = weight + of.begin * p.channels * S2C_PANEL;
    const int32_t offset = of.begin * p.dilation - p.pad;
    for (int32_t r = of.first; r < whole; r += rows) {
        s2c_panel_tile_f32(output + r * finish.step, input + (r + offset) * p.channels,
                           addend + r * finish.step, w, bias, rows, columns, source, finish);
    }
    if (whole < of.last) {
        s2c_panel_tile_f32(output + whole * finish.step, input + (whole + offset) * p.channels,
                           addend + whole * finish.step, w, bias, of.last - whole, columns, source, finish);
    }
}

/* One block of columns, a literal, of one line of at most 3 taps, which makes at most 7 stretches: each tap enters and
   leaves once. They stand one after the other, not in a loop, so that their sizes are literals. */
S2C_INLINE void s2c_line_block_f32(float *output, const float *input, const float *addend,
                                   const float *weight, const float *bias, int32_t columns, int32_t tile_rows,
                                   s2c_line_window p, s2c_finish_f32 finish)
{
    const s2c_stretch a = s2c_stretch_from(0, p);
    const s2c_stretch b = s2c_stretch_from(a.last, p);
    const s2c_stretch c = s2c_stretch_from(b.last, p);
    const s2c_stretch d = s2c_stretch_from(c.last, p);
    const s2c_stretch e = s2c_stretch_from(d.last, p);
    const s2c_stretch f = s2c_stretch_from(e.last, p);
    const s2c_stretch g = s2c_stretch_from(f.last, p);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, a, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, b, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, c, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, d, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, e, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, f, p, finish);
    s2c_stretch_f32(output, input, addend, weight, bias, columns, tile_rows, g, p, finish);
}

S2C_INLINE void s2c_line_conv_f32(float *output, const float *input, const float *addend, const float *weight,
                                  const float *bias, int32_t batch, int32_t columns, int32_t tile_rows,
                                  int32_t tile_columns, s2c_line_window p, s2c_finish_f32 finish)
{
    const int32_t whole = columns / tile_columns * tile_columns;
    const int32_t depth = p.taps * p.channels;
    for (int32_t b = 0; b < batch; b++) {
        const int32_t to = b * p.outputs * columns;
        const float *line = input + b * p.width * p.channels;
        for (int32_t n = 0; n < whole; n += tile_columns) {
            s2c_line_block_f32(output + to + n, line, addend + to + n, weight + n * depth, bias + n,
                               tile_columns, tile_rows, p, finish);
        }
        if (whole < columns) {
            s2c_line_block_f32(output + to + whole, line, addend + to + whole, weight + whole * depth,
                               bias + whole, columns - whole, tile_rows, p, finish);
        }
    }
}

#endif
