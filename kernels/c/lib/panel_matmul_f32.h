/* A float matmul by panels, group by group; a tile's weights serve all rows before the next ones come. */
#ifndef S2C_PANEL_MATMUL_F32_H
#define S2C_PANEL_MATMUL_F32_H
#include "panels_f32.h"

/* One block of columns, a literal, of one group. */
S2C_INLINE void s2c_panel_block_f32(float *output, const float *input, const float *addend,
                                    const float *weight, const float *bias, int32_t rows, int32_t tile_rows,
                                    int32_t columns, s2c_range tiles, s2c_source_f32 from, s2c_finish_f32 to)
{
    if (tiles.first < tiles.last) {
        s2c_panel_line_f32(output, input, addend, weight, bias, rows, tile_rows, columns, tiles.first,
                           tiles.last, from, to);
    }
}

/* units: of group by block of columns by tile of rows, those that this call computes. */
S2C_INLINE void s2c_panel_matmul_f32(float *output, const float *input, const float *addend,
                                     const float *weight, const float *bias, int32_t rows, int32_t groups,
                                     int32_t columns, int32_t depth, int32_t tile_rows, int32_t tile_columns,
                                     s2c_range units, s2c_finish_f32 finish)
{
    const s2c_source_f32 source = {1, 0, 1, 0, depth, depth, groups * depth};
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int32_t blocks = (columns + tile_columns - 1) / tile_columns;
    const int32_t whole = columns / tile_columns;
    for (int32_t g = 0; g < groups; g++) {
        const float *x = input + g * depth;
        const float *w = weight + g * panels * S2C_PANEL * depth;
        for (int32_t block = 0; block < whole; block++) {
            const int32_t n = block * tile_columns;
            const int32_t to = g * columns + n;
            s2c_panel_block_f32(output + to, x, addend + to, w + n * depth, bias + to, rows, tile_rows,
                                tile_columns, s2c_range_in(units, g * blocks + block, tiles), source, finish);
        }
        if (whole < blocks) {
            const int32_t n = whole * tile_columns;
            const int32_t to = g * columns + n;
            s2c_panel_block_f32(output + to, x, addend + to, w + n * depth, bias + to, rows, tile_rows,
                                columns - n, s2c_range_in(units, g * blocks + whole, tiles), source, finish);
        }
    }
}

#endif
