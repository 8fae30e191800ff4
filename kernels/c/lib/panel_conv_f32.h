/* A float convolution by panels, on the image itself or, where padding is needed, on a padded copy in scratch. A line of
   tiles runs along the output's width; where that is one pixel, along its height. */
#ifndef S2C_PANEL_CONV_F32_H
#define S2C_PANEL_CONV_F32_H
#include "copy.h"
#include "panels_f32.h"

typedef struct {
    int32_t batch, height, width, channels, kernel_height, kernel_width, stride_height, stride_width,
        dilation_height, dilation_width, pad_top, pad_left, output_height, output_width, groups;
    float value;
} s2c_panel_window_f32;

/* Rows and columns that the windows cover, from -pad_top and -pad_left on. */
S2C_INLINE int32_t s2c_covered_height(s2c_panel_window_f32 p)
{
    return (p.output_height - 1) * p.stride_height + (p.kernel_height - 1) * p.dilation_height + 1;
}

S2C_INLINE int32_t s2c_covered_width(s2c_panel_window_f32 p)
{
    return (p.output_width - 1) * p.stride_width + (p.kernel_width - 1) * p.dilation_width + 1;
}

S2C_INLINE void s2c_fill_f32(float *restrict to, int32_t count, float value)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = value;
    }
}

/* The rows first .. last of the covered part of an image, as they are or as pairs of bfloat16. */
S2C_INLINE void s2c_pad_rows_as_f32(float *restrict to, const float *restrict image, int32_t first,
                                    int32_t last, int32_t pairs, s2c_panel_window_f32 p)
{
    const int32_t covered = s2c_covered_width(p);
    const int32_t left = p.pad_left < covered ? p.pad_left : covered;
    const int32_t room = covered - left;
    const int32_t inside = room < p.width ? room : p.width;
    const int32_t slots = pairs ? p.channels / 2 : p.channels;
    for (int32_t y = first; y < last; y++) {
        const int32_t row = y - p.pad_top;
        float *line = to + y * covered * slots;
        if (row < 0 || row >= p.height) {
            s2c_fill_f32(line, covered * slots, p.value);
            continue;
        }
        const float *from = image + row * p.width * p.channels;
        s2c_fill_f32(line, left * slots, p.value);
        line += left * slots;
        if (pairs) {
            s2c_write_pairs(line, from, inside * p.channels);
        } else {
            for (int32_t i = 0; i < inside * p.channels; i++) {
                line[i] = from[i];
            }
        }
        s2c_fill_f32(line + inside * slots, (room - inside) * slots, p.value);
    }
}

S2C_INLINE void s2c_pad_rows_f32(float *restrict to, const float *restrict image, int32_t first, int32_t last,
                                 s2c_panel_window_f32 p)
{
    s2c_pad_rows_as_f32(to, image, first, last, 0, p);
}

S2C_INLINE void s2c_pad_f32(float *restrict to, const float *restrict image, s2c_panel_window_f32 p)
{
    s2c_pad_rows_f32(to, image, 0, s2c_covered_height(p), p);
}

/* How the output of one group is walked: lines of rows, which lie `step` apart in the input. */
typedef struct {
    int32_t lines, line_step, rows, tiles; /* tiles: of rows, in a line */
} s2c_lines;

/* One block of columns, a literal: units are tiles of rows, line by line. */
S2C_INLINE void s2c_panel_lines_f32(float *output, const float *input, const float *addend,
                                    const float *weight, const float *bias, int32_t columns,
                                    int32_t tile_rows, s2c_lines walk, s2c_range units, s2c_source_f32 from,
                                    s2c_finish_f32 to)
{
    if (units.first >= units.last) {
        return;
    }
    for (int32_t line = units.first / walk.tiles; line * walk.tiles < units.last; line++) {
        const s2c_range tiles = s2c_range_in(units, line, walk.tiles);
        const int32_t at = line * walk.rows * to.step;
        s2c_panel_line_f32(output + at, input + line * walk.line_step, addend + at, weight, bias, walk.rows,
                           tile_rows, columns, tiles.first, tiles.last, from, to);
    }
}

/* One group of one image: input is its first channel under the first window. width: pixels in a row of the input. */
S2C_INLINE void s2c_panel_group_f32(float *output, const float *input, const float *addend,
                                    const float *weight, const float *bias, int32_t columns, int32_t depth,
                                    int32_t width, int32_t tile_rows, int32_t tile_columns, int32_t pairs,
                                    s2c_range units, s2c_panel_window_f32 p, s2c_finish_f32 finish)
{
    const int32_t row = width * p.channels;
    const int32_t size = p.channels / p.groups;
    const int32_t neighbours = p.dilation_width == 1 && p.groups == 1;
    const int32_t down = p.output_width == 1;
    const s2c_source_f32 source = {p.kernel_height,
                                   p.dilation_height * row,
                                   neighbours ? 1 : p.kernel_width,
                                   p.dilation_width * p.channels,
                                   neighbours ? p.kernel_width * size : size,
                                   depth,
                                   down ? p.stride_height * row : p.stride_width * p.channels,
                                   0,
                                   pairs};
    const int32_t rows = down ? p.output_height : p.output_width;
    const s2c_lines walk = {down ? 1 : p.output_height, p.stride_height * row, rows,
                            (rows + tile_rows - 1) / tile_rows};
    const int32_t size_of_block = walk.lines * walk.tiles;
    const int32_t whole = columns / tile_columns;
    for (int32_t block = 0; block < whole; block++) {
        const int32_t n = block * tile_columns;
        s2c_panel_lines_f32(output + n, input, addend + n, weight + n * depth, bias + n, tile_columns,
                            tile_rows, walk, s2c_range_in(units, block, size_of_block), source, finish);
    }
    if (whole * tile_columns < columns) {
        const int32_t n = whole * tile_columns;
        s2c_panel_lines_f32(output + n, input, addend + n, weight + n * depth, bias + n, columns - n,
                            tile_rows, walk, s2c_range_in(units, whole, size_of_block), source, finish);
    }
}

/* Rows of the covered image that units of one block of columns read, line by line of `tiles`; all, where there are
   several blocks. size: units of a group. */
S2C_INLINE s2c_range s2c_needed_rows(s2c_range units, int32_t tiles, int32_t size, s2c_panel_window_f32 p)
{
    const int32_t covered = s2c_covered_height(p);
    const int32_t reach = (p.kernel_height - 1) * p.dilation_height + 1;
    const s2c_range all = {0, covered};
    const s2c_range some = {units.first / tiles * p.stride_height,
                            ((units.last - 1) / tiles) * p.stride_height + reach};
    return p.output_width > 1 && p.groups == 1 && size == p.output_height * tiles ? some : all;
}

/* units: of image by group by block of columns by line by tile of rows, those that this call computes. */
S2C_INLINE void s2c_panel_conv_f32(float *output, const float *input, const float *addend, float *scratch,
                                   const float *weight, const float *bias, int32_t columns, int32_t depth,
                                   int32_t tile_rows, int32_t tile_columns, int32_t pairs, s2c_range units,
                                   s2c_panel_window_f32 p, s2c_finish_f32 finish)
{
    const int32_t covered_height = s2c_covered_height(p);
    const int32_t covered_width = s2c_covered_width(p);
    const int32_t padded =
        pairs || p.pad_top > 0 || p.pad_left > 0 || covered_height > p.height || covered_width > p.width;
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t pixels = p.output_height * p.output_width;
    const int32_t rows = p.output_width == 1 ? p.output_height : p.output_width;
    const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int32_t size = pixels / rows * tiles * ((columns + tile_columns - 1) / tile_columns);
    const int32_t slots = pairs ? depth / 2 : depth;
    s2c_panel_window_f32 inner = p;
    inner.channels = pairs ? p.channels / 2 : p.channels;
    for (int32_t b = 0; b < p.batch; b++) {
        const float *image = input + b * p.height * p.width * p.channels;
        const s2c_range of_image = s2c_range_in(units, b, p.groups * size);
        if (of_image.first >= of_image.last) {
            continue;
        }
        if (padded) {
            const s2c_range needed = s2c_needed_rows(of_image, tiles, size, p);
            s2c_pad_rows_as_f32(scratch, image, needed.first, needed.last, pairs, p);
        }
        for (int32_t g = 0; g < p.groups; g++) {
            const int32_t to = b * pixels * finish.step + g * columns;
            s2c_panel_group_f32(output + to, (padded ? scratch : image) + g * (inner.channels / p.groups),
                                addend + to, weight + g * panels * S2C_PANEL * slots, bias + g * columns,
                                columns, slots, padded ? covered_width : p.width, tile_rows, tile_columns,
                                pairs, s2c_range_in(of_image, g, size), inner, finish);
        }
    }
}

#endif
