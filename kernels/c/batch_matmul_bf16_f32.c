/* output [batch][rows][columns] = a [batch][rows][depth] times b [batch][depth][columns], or
   b [batch][columns][depth] where transpose is 1, of floats rounded to bfloat16, with float sums.
   b is first written to scratch as weights are packed, [panels][depth / 2][16][2]; behind that stand zeros as the bias.
   where: rows >= 8
   needs: bf16
   scratch: 4 * ((columns + 31) // 16 * 16 * ((depth + 1) // 2 + 1) + paired_floats)
   tile: rows, columns, (depth + 1) // 2
   Constant: every loop runs over an extent. */
#include "lib/panel_matmul_f32.h"
#include "lib/region_f32.h"

#if !defined(__AVX512BF16__)
#error "this net needs AVX512-BF16: compile it with -march=native, or as its manifest says"
#endif

/* A panel of count columns of b [depth][columns]; the rest is zero. */
S2C_INLINE void s2c_pair_columns(float *panel, const float *b, int32_t columns, int32_t depth, int32_t count)
{
    for (int32_t k = 0; k < depth; k += 2) {
        const s2c_floats even = s2c_load_some_floats(b + k * columns, count);
        const s2c_floats odd =
            k + 1 < depth ? s2c_load_some_floats(b + (k + 1) * columns, count) : s2c_all_floats(0.0F);
        s2c_store_floats(panel + k / 2 * S2C_PANEL, s2c_interleave_pairs(even, odd));
    }
}

/* Likewise of b [columns][depth]; rows has room for a panel. */
S2C_INLINE void s2c_pair_rows(float *panel, float *rows, const float *b, int32_t depth, int32_t count)
{
    const int32_t slots = (depth + 1) / 2;
    for (int32_t n = 0; n < S2C_PANEL; n++) {
        if (n < count) {
            s2c_write_pairs(rows + n * slots, b + n * depth, depth);
            continue;
        }
        for (int32_t k = 0; k < slots; k++) {
            rows[n * slots + k] = 0.0F;
        }
    }
    s2c_transpose_f32(panel, rows, slots, S2C_PANEL, S2C_PANEL, slots);
}

S2C_INLINE void batch_matmul_bf16_f32(float *restrict output, const float *restrict a,
                                      const float *restrict b, float *restrict scratch, int32_t batch,
                                      int32_t rows, int32_t columns, int32_t depth, int32_t transpose,
                                      int32_t tile_rows, int32_t tile_columns)
{
    const int32_t slots = (depth + 1) / 2;
    const int32_t panels = (columns + S2C_PANEL - 1) / S2C_PANEL;
    const int32_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int32_t blocks = (columns + tile_columns - 1) / tile_columns;
    const s2c_range units = {0, tiles * blocks};
    const s2c_finish_f32 finish = {0, columns, -S2C_INFINITY, S2C_INFINITY, -S2C_INFINITY, S2C_INFINITY};
    float *room = scratch + panels * S2C_PANEL * slots;
    float *zeros = room + S2C_PANEL * slots;
    for (int32_t n = 0; n < panels * S2C_PANEL; n += S2C_FLOATS) {
        s2c_store_floats(zeros + n, s2c_all_floats(0.0F));
    }
    for (int32_t i = 0; i < batch; i++) {
        for (int32_t n = 0; n < columns; n += S2C_PANEL) {
            const int32_t count = columns - n < S2C_PANEL ? columns - n : S2C_PANEL;
            float *panel = scratch + n * slots;
            if (transpose != 0) {
                s2c_pair_rows(panel, room, b + (i * columns + n) * depth, depth, count);
            } else if (count == S2C_PANEL) {
                s2c_pair_columns(panel, b + i * depth * columns + n, columns, depth, S2C_PANEL);
            } else {
                s2c_pair_columns(panel, b + i * depth * columns + n, columns, depth, columns % S2C_PANEL);
            }
        }
        s2c_panel_matmul_f32(output + i * rows * columns, a + i * rows * depth, output,
                             zeros + panels * S2C_PANEL, scratch, zeros, rows, 1, columns, depth, tile_rows,
                             tile_columns, 1, units, finish);
    }
}
