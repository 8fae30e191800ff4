/* A float matmul by panels, group by group; a tile's weights serve all rows of a chunk before the next ones come. Rows
   whose length is a multiple of 512 lie so that they evict each other from the first cache: a chunk of them is first
   copied to scratch, a cache line further apart. */
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

#define S2C_CROWDED 512         /* floats */
#define S2C_CHUNK_FLOATS 131072 /* half of a second cache */

/* Rows of tiles from .. to, for all blocks of columns of a group; units are those of the group. */
S2C_INLINE void s2c_panel_chunk_f32(float *output, const float *input, const float *addend,
                                    const float *weight, const float *bias, int32_t rows, int32_t columns,
                                    int32_t depth, int32_t tile_rows, int32_t tile_columns, int32_t tiles,
                                    s2c_range chunk, s2c_range units, s2c_source_f32 source,
                                    s2c_finish_f32 finish)
{
    const int32_t whole = columns / tile_columns;
    for (int32_t block = 0; block < whole; block++) {
        const int32_t n = block * tile_columns;
        s2c_panel_block_f32(output + n, input, addend + n, weight + n * depth, bias + n, rows, tile_rows,
                            tile_columns, s2c_overlap(s2c_range_in(units, block, tiles), chunk), source,
                            finish);
    }
    if (whole * tile_columns < columns) {
        const int32_t n = whole * tile_columns;
        s2c_panel_block_f32(output + n, input, addend + n, weight + n * depth, bias + n, rows, tile_rows,
                            columns - n, s2c_overlap(s2c_range_in(units, whole, tiles), chunk), source,
                            finish);
    }
}

/* Rows of depth floats, as they are or as pairs. */
S2C_INLINE void s2c_copy_rows_f32(float *to, const float *from, int32_t count, int32_t depth, int32_t step,
                                  int32_t apart, int32_t pairs)
{
    for (int32_t r = 0; r < count; r++) {
        if (pairs) {
            s2c_write_pairs(to + r * apart, from + r * step, depth);
            continue;
        }
        for (int32_t k = 0; k < depth; k += S2C_FLOATS) {
            s2c_store_floats(to + r * apart + k, s2c_load_floats(from + r * step + k));
        }
    }
}

/* units: of group by block of columns by tile of rows, those that this call computes. pairs: 1 where weights are pairs
   of bfloat16, and inputs are to be rounded to such. */
S2C_INLINE void s2c_panel_matmul_f32(float *output, const float *input, const float *addend, float *scratch,
                                     const float *weight, const float *bias, int32_t rows, int32_t groups,
                                     int32_t columns, int32_t depth, int32_t tile_rows, int32_t tile_columns,
                                     int32_t pairs, s2c_range units, s2c_finish_f32 finish)
{
    const int32_t slots = pairs ? (depth + 1) / 2 : depth;
    const int32_t copied = pairs || (depth % S2C_CROWDED == 0 && rows > 1);
    const int32_t apart = copied ? slots + S2C_PANEL : groups * depth;
    const s2c_source_f32 plain = {1, 0, 1, 0, slots, slots, apart, 0, pairs};
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int32_t blocks = (columns + tile_columns - 1) / tile_columns;
    const int32_t fit = S2C_CHUNK_FLOATS / (apart * tile_rows);
    const int32_t chunk_tiles = !copied || fit > tiles ? tiles : fit < 1 ? 1 : fit;
    for (int32_t g = 0; g < groups; g++) {
        const s2c_range group = s2c_range_in(units, g, blocks * tiles);
        const float *w = weight + g * panels * S2C_PANEL * slots;
        for (int32_t first = 0; first < tiles && group.first < group.last; first += chunk_tiles) {
            const s2c_range rest = {first, first + chunk_tiles < tiles ? first + chunk_tiles : tiles};
            const s2c_range chunk = blocks == 1 ? s2c_overlap(rest, group) : rest;
            if (chunk.first >= chunk.last) {
                continue;
            }
            const int32_t from = chunk.first * tile_rows;
            const int32_t to = chunk.last * tile_rows < rows ? chunk.last * tile_rows : rows;
            const float *x = input + g * depth;
            s2c_source_f32 source = plain;
            if (copied) {
                source.base = from;
                s2c_copy_rows_f32(scratch, x + from * groups * depth, to - from, depth, groups * depth, apart,
                                  pairs);
            }
            s2c_panel_chunk_f32(output + g * columns, copied ? scratch : x, addend + g * columns, w,
                                bias + g * columns, rows, columns, slots, tile_rows, tile_columns, tiles,
                                chunk, group, source, finish);
        }
    }
}

#endif
