/* A float contraction in tiles: the sums of tile_rows rows and tile_columns columns stay in registers while the depth goes
   by, so that a weight serves every row of the tile, and an input every column.
   weight [panels of S2C_PANEL columns][depth][S2C_PANEL]; tiles begin with a panel. Each output is summed over k in order, from 0 on, in any tile,
   and gets its bias last. Rows of a tile lie `step` apart in the input. */
#ifndef S2C_PANELS_F32_H
#define S2C_PANELS_F32_H
#include "range.h"
#include "vector_f32.h"

#define S2C_PANEL 16 /* columns; what the packing `panels(16)` writes */
#define S2C_MOST_ROWS 14
#define S2C_MOST_VECTORS 8

/* Where the values of one row lie: `lines` times `taps` runs of `length` neighbours each; the panel holds depth of them.
   The input begins with row `base`. pairs: 1 where input and weights are pairs of bfloat16 in the place of floats. */
typedef struct {
    int32_t lines, line_step, taps, tap_step, length, depth, step, base, pairs;
} s2c_source_f32;

/* What becomes of a sum; addend lies as the output does, and counts only where present is 1. Rows of the output lie
   step apart. */
typedef struct {
    int32_t present, step;
    float lo, hi, add_lo, add_hi;
} s2c_finish_f32;

/* sums[r][v] of a tile; rows and columns are literals. */
S2C_INLINE void s2c_panel_sums_f32(s2c_floats sums[S2C_MOST_ROWS][S2C_MOST_VECTORS], const float *input,
                                   const float *weight, int32_t rows, int32_t columns, s2c_source_f32 from)
{
    const int32_t vectors = (columns + S2C_FLOATS - 1) / S2C_FLOATS;
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        S2C_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            sums[r][v] = s2c_all_floats(0.0F);
        }
    }
    for (int32_t line = 0; line < from.lines; line++) {
        for (int32_t tap = 0; tap < from.taps; tap++) {
            const float *x = input + line * from.line_step + tap * from.tap_step;
            for (int32_t k = 0; k < from.length; k++) {
                s2c_floats w[S2C_MOST_VECTORS];
                S2C_UNROLL
                for (int32_t v = 0; v < vectors; v++) {
                    const int32_t panel = v * S2C_FLOATS / S2C_PANEL;
                    w[v] =
                        s2c_load_floats(weight + panel * S2C_PANEL * from.depth + v * S2C_FLOATS % S2C_PANEL);
                }
                S2C_UNROLL
                for (int32_t r = 0; r < rows; r++) {
                    const s2c_floats a = s2c_all_floats(x[r * from.step + k]);
                    S2C_UNROLL
                    for (int32_t v = 0; v < vectors; v++) {
                        sums[r][v] =
                            from.pairs ? s2c_dot_pairs(a, w[v], sums[r][v])
                                       : s2c_multiply_add_some(a, w[v], sums[r][v], columns - v * S2C_FLOATS);
                    }
                }
                weight += S2C_PANEL;
            }
        }
    }
}

/* A sum with bias and clamp, then with the addend, where there is one, and its clamp. */
S2C_INLINE s2c_floats s2c_finished(s2c_floats sum, s2c_floats bias, s2c_floats addend, s2c_finish_f32 to)
{
    const s2c_floats y = s2c_clamp_floats(sum + bias, to.lo, to.hi);
    return to.present ? s2c_clamp_floats(y + addend, to.add_lo, to.add_hi) : y;
}

/* `columns` neighbours of the output, a literal: what stands in the vector behind them is not stored. */
S2C_INLINE void s2c_finish_floats(float *output, const float *addend, const float *bias, s2c_floats sum,
                                  int32_t columns, s2c_finish_f32 to)
{
    const s2c_floats more = to.present ? s2c_load_some_floats(addend, columns) : sum;
    s2c_store_some_floats(output, s2c_finished(sum, s2c_load_some_floats(bias, columns), more, to), columns);
}

/* rows and columns are literals. */
S2C_INLINE void s2c_panel_tile_f32(float *output, const float *input, const float *addend,
                                   const float *weight, const float *bias, int32_t rows, int32_t columns,
                                   s2c_source_f32 from, s2c_finish_f32 to)
{
    const int32_t vectors = (columns + S2C_FLOATS - 1) / S2C_FLOATS;
    s2c_floats sums[S2C_MOST_ROWS][S2C_MOST_VECTORS];
    s2c_panel_sums_f32(sums, input, weight, rows, columns, from);
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        S2C_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const int32_t n = v * S2C_FLOATS;
            const int32_t place = r * to.step + n;
            s2c_finish_floats(output + place, addend + place, bias + n, sums[r][v], columns - n, to);
        }
    }
}

/* The tiles first .. last of a line of `rows` rows; the line's last tile has what is left. columns is a literal. */
S2C_INLINE void s2c_panel_line_f32(float *output, const float *input, const float *addend,
                                   const float *weight, const float *bias, int32_t rows, int32_t tile_rows,
                                   int32_t columns, int32_t first, int32_t last, s2c_source_f32 from,
                                   s2c_finish_f32 to)
{
    const int32_t whole = rows / tile_rows;
    for (int32_t tile = first; tile < (last < whole ? last : whole); tile++) {
        const int32_t r = tile * tile_rows;
        s2c_panel_tile_f32(output + r * to.step, input + (r - from.base) * from.step, addend + r * to.step,
                           weight, bias, tile_rows, columns, from, to);
    }
    if (whole * tile_rows < rows && first <= whole && last > whole) {
        const int32_t r = whole * tile_rows;
        s2c_panel_tile_f32(output + r * to.step, input + (r - from.base) * from.step, addend + r * to.step,
                           weight, bias, rows - r, columns, from, to);
    }
}

#endif
