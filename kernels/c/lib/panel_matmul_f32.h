/* A float matmul by panels, group by group; a tile's weights serve all rows before the next ones come. */
#ifndef S2C_PANEL_MATMUL_F32_H
#define S2C_PANEL_MATMUL_F32_H
#include "panels_f32.h"

S2C_INLINE void s2c_panel_matmul_f32(float *output, const float *input, const float *addend,
                                     const float *weight, const float *bias, int32_t rows, int32_t groups,
                                     int32_t columns, int32_t depth, int32_t tile_rows, int32_t tile_columns,
                                     s2c_finish_f32 finish)
{
    const s2c_source_f32 source = {1, 0, 1, 0, depth, depth, groups * depth};
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t whole = columns / tile_columns * tile_columns;
    for (int32_t g = 0; g < groups; g++) {
        const float *x = input + g * depth;
        const float *w = weight + g * panels * S2C_PANEL * depth;
        for (int32_t n = 0; n < whole; n += tile_columns) {
            const int32_t to = g * columns + n;
            s2c_panel_line_f32(output + to, x, addend + to, w + n * depth, bias + to, rows, tile_rows,
                               tile_columns, source, finish);
        }
        if (whole < columns) {
            const int32_t to = g * columns + whole;
            s2c_panel_line_f32(output + to, x, addend + to, w + whole * depth, bias + to, rows, tile_rows,
                               columns - whole, source, finish);
        }
    }
}

#endif
