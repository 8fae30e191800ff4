/* An int8 matmul by panels, group by group, on a raised copy of the input in scratch. */
#ifndef S2C_PANEL_MATMUL_I8_H
#define S2C_PANEL_MATMUL_I8_H
#include "padded_i8.h"
#include "panels_i8.h"

/* units: of group by block of columns by tile of rows, those that this call computes. */
S2C_INLINE void s2c_panel_matmul_i8(int8_t *output, const int8_t *input, const int8_t *addend,
                                    int8_t *scratch, const int8_t *weight, int32_t rows, int32_t groups,
                                    int32_t columns, int32_t depth, int32_t tile_rows, int32_t tile_columns,
                                    s2c_range units, s2c_result result, s2c_addend add)
{
    const s2c_source_i8 source = {1, 0, 1, 0, depth, groups * depth};
    const s2c_walk_i8 walk = {1, 0, rows, groups * columns};
    const int32_t panels = (columns + S2C_CHAR_PANEL - 1) / S2C_CHAR_PANEL;
    const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int32_t of_group = tiles * ((columns + tile_columns - 1) / tile_columns);
    const int32_t is_one_block = groups == 1 && of_group == tiles;
    const int32_t from = is_one_block ? units.first * tile_rows : 0;
    const int32_t to = is_one_block && units.last < tiles ? units.last * tile_rows : rows;
    s2c_raise_bytes(scratch + from * groups * depth, input + from * groups * depth,
                    (to - from) * groups * depth);
    for (int32_t g = 0; g < groups; g++) {
        s2c_panel_lines_i8(output + g * columns, scratch + g * depth, addend + g * columns,
                           weight + g * panels * s2c_panel_bytes(source), g * panels * S2C_CHAR_PANEL,
                           columns, tile_rows, tile_columns, s2c_range_in(units, g, of_group), walk, source,
                           result, add);
    }
}

#endif
