/* An int8 contraction in tiles: the sums of tile_rows rows and tile_columns columns stay in registers while the depth goes
   by, four values a step, so that a weight serves every row of the tile, and an input every column.
   weight [panels of S2C_CHAR_PANEL columns], of each the int32 that undo raised inputs, then [steps][S2C_CHAR_PANEL][4];
   bias, multiplier and shift [panels][S2C_CHAR_PANEL]; tiles begin with a panel. Rows of a tile lie `step` apart in the
   input. */
#ifndef S2C_PANELS_I8_H
#define S2C_PANELS_I8_H
#include "addend_i8.h"
#include "range.h"
#include "result_i8.h"
#include "zip_i8.h"

#define S2C_CHAR_PANEL 16 /* columns; what the packings `quads(.., 16)` and `spread(.., 16)` write */
#define S2C_CHAR_ROWS 14
#define S2C_CHAR_VECTORS 8

/* Where the values of one row lie: `lines` times `taps` runs of `length` neighbours each; three bytes behind a run may be
   read. */
typedef struct {
    int32_t lines, line_step, taps, tap_step, length, step;
} s2c_source_i8;

/* Of a panel. */
S2C_INLINE int32_t s2c_panel_bytes(s2c_source_i8 from)
{
    const int32_t steps = from.lines * from.taps * ((from.length + 3) / 4);
    return 4 * S2C_CHAR_PANEL * (steps + 1);
}

/* Four values in every lane. */
S2C_INLINE s2c_quads s2c_quad(const int8_t *from)
{
    uint32_t word;
    __builtin_memcpy(&word, from, 4);
    return (s2c_quads)(word - (s2c_int_words){0});
}

/* Sums become results less the zero point, the addend among them. */
S2C_INLINE void s2c_panel_scale_i8(s2c_ints sums[S2C_CHAR_ROWS][S2C_CHAR_VECTORS], const int8_t *addend,
                                   int32_t n0, int32_t width, int32_t rows, int32_t columns, s2c_result to,
                                   s2c_addend add)
{
    S2C_UNROLL
    for (int32_t v = 0; v < (columns + S2C_INTS - 1) / S2C_INTS; v++) {
        const int32_t n = v * S2C_INTS;
        const s2c_ints multiplier = s2c_load_ints(to.multiplier + n0 + n);
        const s2c_ints shift = s2c_widen(s2c_load_some_chars(to.shift + n0 + n, S2C_INTS));
        S2C_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            sums[r][v] = s2c_rescale_ints(sums[r][v], multiplier, shift, to.least_shift, to.most_shift,
                                          to.headroom, to.once, to.lo >= to.zero);
            if (add.present) {
                const s2c_chars b = s2c_load_some_chars(addend + r * width + n, columns - n);
                const s2c_ints a = s2c_clamp_ints(sums[r][v], to.lo - to.zero, to.hi - to.zero);
                sums[r][v] = s2c_add_addend(a + (to.zero - add.a_zero), s2c_widen(b), add);
            }
        }
    }
}

/* The results of a tile, moved to the zero point and clamped: four vectors at a time where they are neighbours in the
   output. */
S2C_INLINE void s2c_panel_store_i8(s2c_ints y[S2C_CHAR_ROWS][S2C_CHAR_VECTORS], int8_t *output, int32_t width,
                                   int32_t rows, int32_t columns, int32_t zero, int32_t lo, int32_t hi)
{
    const int32_t vectors = (columns + S2C_INTS - 1) / S2C_INTS;
    const int32_t whole = columns % S2C_INTS == 0 && (width == columns || vectors % 4 == 0);
    const int32_t fours = whole ? rows * vectors / 4 : 0;
    S2C_UNROLL
    for (int32_t i = 0; i < 4 * fours; i += 4) {
        s2c_ints four[4];
        S2C_UNROLL
        for (int32_t j = 0; j < 4; j++) {
            four[j] = y[(i + j) / vectors][(i + j) % vectors];
        }
        s2c_store_some_quads(output + i / vectors * width + i % vectors * S2C_INTS,
                             s2c_in_order(s2c_join_chars(four, zero, lo, hi)), 4 * S2C_INTS);
    }
    S2C_UNROLL
    for (int32_t i = 4 * fours; i < rows * vectors; i++) {
        const int32_t n = i % vectors * S2C_INTS;
        s2c_store_some_chars(output + i / vectors * width + n,
                             s2c_narrow(y[i / vectors][i % vectors] + zero, lo, hi), columns - n);
    }
}

/* rows and columns are literals; n0 is the first column in bias, multiplier and shift, rows of the output lie
   `width` apart; the addend lies as the output does. */
S2C_INLINE void s2c_panel_tile_i8(int8_t *output, const int8_t *input, const int8_t *addend,
                                  const int8_t *weight, int32_t n0, int32_t width, int32_t rows,
                                  int32_t columns, s2c_source_i8 from, s2c_result to, s2c_addend add)
{
    const int32_t vectors = (columns + S2C_INTS - 1) / S2C_INTS;
    const int32_t bytes = s2c_panel_bytes(from);
    s2c_ints sums[S2C_CHAR_ROWS][S2C_CHAR_VECTORS];
    S2C_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const int32_t n = v * S2C_INTS;
        s2c_ints first = s2c_load_ints(to.bias + n0 + n);
        if (S2C_RAISED) {
            const int8_t *undo = weight + n / S2C_CHAR_PANEL * bytes + n % S2C_CHAR_PANEL * 4;
            first = s2c_add_ints(first, (s2c_ints)s2c_load_quads(undo));
        }
        S2C_UNROLL
        for (int32_t r = 0; r < rows; r++) {
            sums[r][v] = first;
        }
    }
    for (int32_t line = 0; line < from.lines; line++) {
        for (int32_t tap = 0; tap < from.taps; tap++) {
            const int8_t *x = input + line * from.line_step + tap * from.tap_step;
            for (int32_t k = 0; k < from.length; k += 4) {
                s2c_quads w[S2C_CHAR_VECTORS];
                weight += 4 * S2C_CHAR_PANEL;
                S2C_UNROLL
                for (int32_t v = 0; v < vectors; v++) {
                    const int32_t n = v * S2C_INTS;
                    w[v] = s2c_load_quads(weight + n / S2C_CHAR_PANEL * bytes + n % S2C_CHAR_PANEL * 4);
                }
                S2C_UNROLL
                for (int32_t r = 0; r < rows; r++) {
                    const s2c_quads quad = s2c_quad(x + r * from.step + k);
                    S2C_UNROLL
                    for (int32_t v = 0; v < vectors; v++) {
                        sums[r][v] = s2c_dot(sums[r][v], quad, w[v]);
                    }
                }
            }
        }
    }
    s2c_panel_scale_i8(sums, addend, n0, width, rows, columns, to, add);
    s2c_panel_store_i8(sums, output, width, rows, columns, add.present ? add.zero : to.zero,
                       add.present ? add.lo : to.lo, add.present ? add.hi : to.hi);
}

/* The tiles first .. last of a line of `rows` rows; the line's last tile has what is left. columns is a literal. */
S2C_INLINE void s2c_panel_line_i8(int8_t *output, const int8_t *input, const int8_t *addend,
                                  const int8_t *weight, int32_t n0, int32_t width, int32_t rows,
                                  int32_t tile_rows, int32_t columns, s2c_range tiles, s2c_source_i8 from,
                                  s2c_result to, s2c_addend add)
{
    const int32_t whole = rows / tile_rows;
    for (int32_t tile = tiles.first; tile < (tiles.last < whole ? tiles.last : whole); tile++) {
        const int32_t r = tile * tile_rows;
        s2c_panel_tile_i8(output + r * width, input + r * from.step, addend + r * width, weight, n0, width,
                          tile_rows, columns, from, to, add);
    }
    if (whole * tile_rows < rows && tiles.first <= whole && tiles.last > whole) {
        const int32_t r = whole * tile_rows;
        s2c_panel_tile_i8(output + r * width, input + r * from.step, addend + r * width, weight, n0, width,
                          rows - r, columns, from, to, add);
    }
}

/* How the output of one group is walked: `lines` lines of `rows` rows, which lie line_step apart in the input; rows of
   the output lie `width` apart. */
typedef struct {
    int32_t lines, line_step, rows, width;
} s2c_walk_i8;

/* One block of columns, a literal: units are tiles of rows, line by line. */
S2C_INLINE void s2c_panel_block_i8(int8_t *output, const int8_t *input, const int8_t *addend,
                                   const int8_t *weight, int32_t n0, int32_t tile_rows, int32_t columns,
                                   s2c_range units, s2c_walk_i8 walk, s2c_source_i8 from, s2c_result to,
                                   s2c_addend add)
{
    const int32_t tiles = (walk.rows + tile_rows - 1) / tile_rows;
    if (units.first >= units.last) {
        return;
    }
    for (int32_t line = units.first / tiles; line * tiles < units.last; line++) {
        const int32_t place = line * walk.rows * walk.width;
        s2c_panel_line_i8(output + place, input + line * walk.line_step, addend + place, weight, n0,
                          walk.width, walk.rows, tile_rows, columns, s2c_range_in(units, line, tiles), from,
                          to, add);
    }
}

/* A group's columns, block by block; a tile's weights serve all lines before the next ones come. units: of block of
   columns by line by tile of rows. */
S2C_INLINE void s2c_panel_lines_i8(int8_t *output, const int8_t *input, const int8_t *addend,
                                   const int8_t *weight, int32_t n0, int32_t columns, int32_t tile_rows,
                                   int32_t tile_columns, s2c_range units, s2c_walk_i8 walk,
                                   s2c_source_i8 from, s2c_result to, s2c_addend add)
{
    const int32_t size = walk.lines * ((walk.rows + tile_rows - 1) / tile_rows);
    const int32_t whole = columns / tile_columns;
    const int32_t bytes = s2c_panel_bytes(from);
    for (int32_t block = 0; block < whole; block++) {
        const int32_t n = block * tile_columns;
        s2c_panel_block_i8(output + n, input, addend + n, weight + n / S2C_CHAR_PANEL * bytes, n0 + n,
                           tile_rows, tile_columns, s2c_range_in(units, block, size), walk, from, to, add);
    }
    if (whole * tile_columns < columns) {
        const int32_t n = whole * tile_columns;
        s2c_panel_block_i8(output + n, input, addend + n, weight + n / S2C_CHAR_PANEL * bytes, n0 + n,
                           tile_rows, columns - n, s2c_range_in(units, whole, size), walk, from, to, add);
    }
}

#endif
