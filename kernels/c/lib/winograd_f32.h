/* A 3x3 float convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): a tile of 4x4
   outputs takes 36 multiplications for each pair of channels instead of 144. Its points are 0, 3/4, -3/4, 3/2, -3/2 and
   infinity, which keep the rounding error at that of the plain sum, where the usual 0, 1, -1, 2, -2 lose a digit.
   weight [36][panels][channels][16], transformed when it is packed. A value that is not finite reaches all of its tile.
   Tiles go through in blocks: their transforms stand in scratch, [36][tiles of the block][channels] and [..][columns],
   each of the 36 a cache line further than a power of two. */
#ifndef S2C_WINOGRAD_F32_H
#define S2C_WINOGRAD_F32_H
#include "panel_conv_f32.h"

#define S2C_A 0.75F
#define S2C_B 1.5F
#define S2C_MANY_TILES 100
#define S2C_APART 16               /* floats between the 36 */
#define S2C_BLOCK_FLOATS (1 << 17) /* of both transforms of a block: they are to stay in the second cache */

typedef struct {
    int32_t tiles_down, tiles_across, block,
        width; /* block: tiles at a time; width: pixels in a padded row */
} s2c_winograd;

S2C_INLINE s2c_winograd s2c_winograd_of(int32_t columns, int32_t tile_rows, s2c_panel_window_f32 p)
{
    const int32_t down = (p.output_height + 3) / 4;
    const int32_t across = (p.output_width + 3) / 4;
    const int32_t fit = S2C_BLOCK_FLOATS / (36 * (p.channels + columns) * tile_rows);
    const int32_t need = (down * across + tile_rows - 1) / tile_rows;
    const int32_t groups = fit < 1 ? 1 : fit < need ? fit : need;
    const s2c_winograd found = {down, across, groups * tile_rows, 4 * across + 2};
    return found;
}

/* a * b + c of a number and vectors. */
S2C_INLINE s2c_floats s2c_times(float a, s2c_floats b, s2c_floats c)
{
    return s2c_multiply_add(s2c_all_floats(a), b, c);
}

/* Six neighbours to the values that are multiplied. */
S2C_INLINE void s2c_winograd_input(s2c_floats to[6], const s2c_floats d[6])
{
    const float aa = S2C_A * S2C_A;
    const float bb = S2C_B * S2C_B;
    const s2c_floats even_a = s2c_times(-bb, d[2], d[4]);
    const s2c_floats odd_a = s2c_times(-bb, d[1], d[3]);
    const s2c_floats even_b = s2c_times(-aa, d[2], d[4]);
    const s2c_floats odd_b = s2c_times(-aa, d[1], d[3]);
    to[0] = s2c_times(aa * bb, d[0], s2c_times(-(aa + bb), d[2], d[4]));
    to[1] = s2c_times(S2C_A, odd_a, even_a);
    to[2] = s2c_times(-S2C_A, odd_a, even_a);
    to[3] = s2c_times(S2C_B, odd_b, even_b);
    to[4] = s2c_times(-S2C_B, odd_b, even_b);
    to[5] = s2c_times(aa * bb, d[1], s2c_times(-(aa + bb), d[3], d[5]));
}

/* Six products to four results. */
S2C_INLINE void s2c_winograd_output(s2c_floats to[4], const s2c_floats m[6])
{
    const float aa = S2C_A * S2C_A;
    const float bb = S2C_B * S2C_B;
    const s2c_floats even_a = m[1] + m[2];
    const s2c_floats odd_a = m[1] - m[2];
    const s2c_floats even_b = m[3] + m[4];
    const s2c_floats odd_b = m[3] - m[4];
    to[0] = m[0] + even_a + even_b;
    to[1] = s2c_times(S2C_A, odd_a, s2c_all_floats(S2C_B) * odd_b);
    to[2] = s2c_times(aa, even_a, s2c_all_floats(bb) * even_b);
    to[3] = s2c_times(aa * S2C_A, odd_a, s2c_times(bb * S2C_B, odd_b, m[5]));
}

/* The transform of one tile of the padded image, count channels, to one place of each of the 36. two: 1 for half a
   vector of channels of this tile and of a second one, a literal. */
S2C_INLINE void s2c_winograd_tile_input(float *to, const float *image, const float *second, int32_t two,
                                        int32_t apart, int32_t row, int32_t channels, int32_t count)
{
    s2c_floats half[6][6];
    S2C_UNROLL
    for (int32_t x = 0; x < 6; x++) {
        s2c_floats d[6];
        s2c_floats v[6];
        S2C_UNROLL
        for (int32_t y = 0; y < 6; y++) {
            const int32_t at = y * row + x * channels;
            d[y] =
                two ? s2c_load_two_halves(image + at, second + at) : s2c_load_some_floats(image + at, count);
        }
        s2c_winograd_input(v, d);
        S2C_UNROLL
        for (int32_t y = 0; y < 6; y++) {
            half[y][x] = v[y];
        }
    }
    S2C_UNROLL
    for (int32_t y = 0; y < 6; y++) {
        s2c_floats v[6];
        s2c_winograd_input(v, half[y]);
        S2C_UNROLL
        for (int32_t x = 0; x < 6; x++) {
            s2c_store_some_floats(to + (6 * y + x) * apart, v[x], count);
        }
    }
}

/* What a tile's products give before the bias, count columns; a whole vector may be half a vector of each of two
   tiles. */
S2C_INLINE void s2c_winograd_results(s2c_floats to[4][4], const float *from, int32_t apart, int32_t count)
{
    s2c_floats half[4][6];
    S2C_UNROLL
    for (int32_t x = 0; x < 6; x++) {
        s2c_floats m[6];
        s2c_floats v[4];
        S2C_UNROLL
        for (int32_t y = 0; y < 6; y++) {
            m[y] = s2c_load_some_floats(from + (6 * y + x) * apart, count);
        }
        s2c_winograd_output(v, m);
        S2C_UNROLL
        for (int32_t y = 0; y < 4; y++) {
            half[y][x] = v[y];
        }
    }
    S2C_UNROLL
    for (int32_t y = 0; y < 4; y++) {
        s2c_winograd_output(to[y], half[y]);
    }
}

/* The results of one tile, count columns; down and across: how many of its rows and columns the output has. */
S2C_INLINE void s2c_winograd_tile_output(float *output, const float *addend, const float *from,
                                         const float *bias, int32_t apart, int32_t row, int32_t count,
                                         int32_t down, int32_t across, s2c_finish_f32 finish)
{
    s2c_floats results[4][4];
    s2c_winograd_results(results, from, apart, count);
    S2C_UNROLL
    for (int32_t y = 0; y < 4; y++) {
        S2C_UNROLL
        for (int32_t x = 0; x < 4; x++) {
            if (y < down && x < across) {
                const int32_t place = y * row + x * finish.step;
                s2c_finish_floats(output + place, addend + place, bias, results[y][x], count, finish);
            }
        }
    }
}

/* The same of two whole tiles, half a vector of columns each. */
S2C_INLINE void s2c_winograd_two_outputs(float *output, const float *addend, int32_t low, int32_t high,
                                         const float *from, const float *bias, int32_t apart, int32_t row,
                                         s2c_finish_f32 finish)
{
    const s2c_floats biases = s2c_load_two_halves(bias, bias);
    s2c_floats results[4][4];
    s2c_winograd_results(results, from, apart, S2C_FLOATS);
    S2C_UNROLL
    for (int32_t y = 0; y < 4; y++) {
        S2C_UNROLL
        for (int32_t x = 0; x < 4; x++) {
            const int32_t place = y * row + x * finish.step;
            const s2c_floats more = finish.present
                                        ? s2c_load_two_halves(addend + low + place, addend + high + place)
                                        : results[y][x];
            s2c_store_two_halves(output + low + place, output + high + place,
                                 s2c_finished(results[y][x], biases, more, finish));
        }
    }
}

/* Where a tile begins in an image of such rows and pixels. */
S2C_INLINE int32_t s2c_tile_place(int32_t tile, int32_t row, int32_t pixel, s2c_winograd w)
{
    return tile / w.tiles_across * 4 * row + tile % w.tiles_across * 4 * pixel;
}

/* Of the tiles first .. first + count: their inputs transformed. */
S2C_INLINE void s2c_winograd_inputs(float *to, const float *image, int32_t first, int32_t count,
                                    int32_t apart, s2c_winograd w, s2c_panel_window_f32 p)
{
    const int32_t row = w.width * p.channels;
    const int32_t whole = p.channels / S2C_FLOATS * S2C_FLOATS;
    const int32_t pairs = 2 * p.channels == S2C_FLOATS ? count / 2 * 2 : 0;
    for (int32_t i = 0; i < pairs; i += 2) {
        s2c_winograd_tile_input(to + i * p.channels, image + s2c_tile_place(first + i, row, p.channels, w),
                                image + s2c_tile_place(first + i + 1, row, p.channels, w), 1, apart, row,
                                p.channels, S2C_FLOATS);
    }
    for (int32_t i = pairs; i < count; i++) {
        const float *from = image + s2c_tile_place(first + i, row, p.channels, w);
        for (int32_t c = 0; c < whole; c += S2C_FLOATS) {
            s2c_winograd_tile_input(to + i * p.channels + c, from + c, from + c, 0, apart, row, p.channels,
                                    S2C_FLOATS);
        }
        if (whole < p.channels) {
            s2c_winograd_tile_input(to + i * p.channels + whole, from + whole, from + whole, 0, apart, row,
                                    p.channels, p.channels - whole);
        }
    }
}

S2C_INLINE void s2c_winograd_outputs(float *output, const float *addend, const float *from, const float *bias,
                                     int32_t first, int32_t count, int32_t apart, int32_t columns,
                                     int32_t begin, int32_t end, s2c_winograd w, s2c_panel_window_f32 p,
                                     s2c_finish_f32 finish)
{
    const int32_t row = p.output_width * finish.step;
    const int32_t whole = columns / S2C_FLOATS * S2C_FLOATS;
    const int32_t fits = p.output_height % 4 == 0 && p.output_width % 4 == 0;
    const int32_t pairs = fits && 2 * columns == S2C_FLOATS ? count / 2 * 2 : 0;
    for (int32_t i = 0; i < pairs; i += 2) {
        s2c_winograd_two_outputs(output, addend, s2c_tile_place(first + i, row, finish.step, w),
                                 s2c_tile_place(first + i + 1, row, finish.step, w), from + i * columns, bias,
                                 apart, row, finish);
    }
    for (int32_t i = pairs; i < count; i++) {
        const int32_t tile = first + i;
        const int32_t y = tile / w.tiles_across * 4;
        const int32_t x = tile % w.tiles_across * 4;
        const int32_t place = y * row + x * finish.step;
        for (int32_t n = begin; n < (end < whole ? end : whole); n += S2C_FLOATS) {
            s2c_winograd_tile_output(output + place + n, addend + place + n, from + i * columns + n, bias + n,
                                     apart, row, S2C_FLOATS, p.output_height - y, p.output_width - x, finish);
        }
        if (whole < columns && end > whole) {
            s2c_winograd_tile_output(output + place + whole, addend + place + whole,
                                     from + i * columns + whole, bias + whole, apart, row, columns - whole,
                                     p.output_height - y, p.output_width - x, finish);
        }
    }
}

/* rows and columns are literals. */
S2C_INLINE void s2c_winograd_product(float *to, const float *input, const float *weight, int32_t rows,
                                     int32_t columns, int32_t step, s2c_source_f32 source)
{
    const int32_t vectors = (columns + S2C_FLOATS - 1) / S2C_FLOATS;
    s2c_floats sums[S2C_MOST_ROWS][S2C_MOST_VECTORS];
    s2c_panel_sums_f32(sums, input, weight, rows, columns, source);
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        S2C_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            s2c_store_some_floats(to + r * step + v * S2C_FLOATS, sums[r][v], columns - v * S2C_FLOATS);
        }
    }
}

/* All rows of a block by `width` columns, a literal. */
S2C_INLINE void s2c_winograd_columns(float *to, const float *input, const float *weight, int32_t count,
                                     int32_t tile_rows, int32_t width, int32_t step, s2c_source_f32 source)
{
    for (int32_t r = 0; r < count; r += tile_rows) {
        s2c_winograd_product(to + r * step, input + r * source.step, weight, tile_rows, width, step, source);
    }
}

/* Of the 36 products of a block of tiles, the columns from .. to. */
S2C_INLINE void s2c_winograd_products(float *products, const float *transformed, const float *weight,
                                      int32_t count, int32_t columns, int32_t from, int32_t to,
                                      int32_t tile_rows, int32_t tile_columns, int32_t apart_in,
                                      int32_t apart_out, s2c_source_f32 source)
{
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t whole = columns / tile_columns * tile_columns;
    for (int32_t i = 0; i < 36; i++) {
        const float *x = transformed + i * apart_in;
        const float *w = weight + i * panels * S2C_PANEL * source.depth;
        float *y = products + i * apart_out;
        for (int32_t n = from; n < (to < whole ? to : whole); n += tile_columns) {
            s2c_winograd_columns(y + n, x, w + n * source.depth, count, tile_rows, tile_columns, columns,
                                 source);
        }
        if (whole < columns && to > whole) {
            s2c_winograd_columns(y + whole, x, w + whole * source.depth, count, tile_rows, columns - whole,
                                 columns, source);
        }
    }
}

/* The columns from .. to of the tiles first .. last of one image, which is padded already. */
S2C_INLINE void s2c_winograd_part(float *output, const float *addend, float *scratch, const float *weight,
                                  const float *bias, int32_t columns, int32_t from, int32_t to, int32_t first,
                                  int32_t last, int32_t tile_rows, int32_t tile_columns, s2c_winograd w,
                                  s2c_panel_window_f32 p, s2c_finish_f32 finish)
{
    const int32_t apart_in = w.block * p.channels + S2C_APART;
    const int32_t apart_out = w.block * columns + S2C_APART;
    const s2c_source_f32 source = {1, 0, 1, 0, p.channels, p.channels, p.channels, 0, 0};
    float *transformed = scratch + (4 * w.tiles_down + 2) * w.width * p.channels;
    float *products = transformed + 36 * apart_in;
    for (int32_t tile = first; tile < last; tile += w.block) {
        const int32_t count = last - tile < w.block ? last - tile : w.block;
        s2c_winograd_inputs(transformed, scratch, tile, count, apart_in, w, p);
        s2c_winograd_products(products, transformed, weight, count, columns, from, to, tile_rows,
                              tile_columns, apart_in, apart_out, source);
        s2c_winograd_outputs(output, addend, products, bias, tile, count, apart_out, columns, from, to, w, p,
                             finish);
    }
}

/* units: of image by block of columns or, where there is but one block or many tiles, by tile, those that this call
   computes: columns share a tile's transform, tiles the transformed weights. */
S2C_INLINE void s2c_winograd_f32(float *output, const float *input, const float *addend, float *scratch,
                                 const float *weight, const float *bias, int32_t columns, int32_t tile_rows,
                                 int32_t tile_columns, s2c_range units, s2c_panel_window_f32 p,
                                 s2c_finish_f32 finish)
{
    const s2c_winograd w = s2c_winograd_of(columns, tile_rows, p);
    const int32_t tiles = w.tiles_down * w.tiles_across;
    const int32_t blocks = (columns + tile_columns - 1) / tile_columns;
    const int32_t by_columns = blocks > 1 && tiles < S2C_MANY_TILES;
    s2c_panel_window_f32 room = p;
    room.output_height = 4 * w.tiles_down;
    room.output_width = 4 * w.tiles_across;
    for (int32_t b = 0; b < p.batch; b++) {
        const int32_t at = b * p.output_height * p.output_width * finish.step;
        const s2c_range part = s2c_range_in(units, b, by_columns ? blocks : tiles);
        const int32_t to = part.last * tile_columns;
        const int32_t top = by_columns ? 0 : part.first / w.tiles_across * 4;
        const int32_t bottom = by_columns ? 4 * w.tiles_down : ((part.last - 1) / w.tiles_across + 1) * 4;
        if (part.first >= part.last) {
            continue;
        }
        s2c_pad_rows_f32(scratch, input + b * p.height * p.width * p.channels, top, bottom + 2, room);
        s2c_winograd_part(output + at, addend + at, scratch, weight, bias, columns,
                          by_columns ? part.first * tile_columns : 0,
                          by_columns && to < columns ? to : columns, by_columns ? 0 : part.first,
                          by_columns ? tiles : part.last, tile_rows, tile_columns, w, p, finish);
    }
}

#endif
