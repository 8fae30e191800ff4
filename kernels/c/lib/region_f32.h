/* The movement of region.h on floats: runs of neighbours by vectors, transposes in blocks of four by four. */
#ifndef S2C_REGION_F32_H
#define S2C_REGION_F32_H
#include "base.h"

typedef float s2c_four __attribute__((vector_size(16)));
typedef float s2c_four_at __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t s2c_four_places __attribute__((vector_size(16)));

#if defined(__clang__)
#define S2C_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define S2C_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (s2c_four_places){i, j, k, l})
#endif

S2C_INLINE s2c_four s2c_load_four(const float *from)
{
    return *(const s2c_four_at *)(const void *)from;
}

S2C_INLINE void s2c_store_four(float *to, s2c_four x)
{
    *(s2c_four_at *)(void *)to = x;
}

/* to[i * to_step + j] = from[j * from_step + i] for i and j below 4. */
S2C_INLINE void s2c_transpose_four(float *to, const float *from, int32_t to_step, int32_t from_step)
{
    const s2c_four a = s2c_load_four(from);
    const s2c_four b = s2c_load_four(from + from_step);
    const s2c_four c = s2c_load_four(from + 2 * from_step);
    const s2c_four d = s2c_load_four(from + 3 * from_step);
    const s2c_four ab_low = S2C_SHUFFLE(a, b, 0, 4, 1, 5);
    const s2c_four ab_high = S2C_SHUFFLE(a, b, 2, 6, 3, 7);
    const s2c_four cd_low = S2C_SHUFFLE(c, d, 0, 4, 1, 5);
    const s2c_four cd_high = S2C_SHUFFLE(c, d, 2, 6, 3, 7);
    s2c_store_four(to, S2C_SHUFFLE(ab_low, cd_low, 0, 1, 4, 5));
    s2c_store_four(to + to_step, S2C_SHUFFLE(ab_low, cd_low, 2, 3, 6, 7));
    s2c_store_four(to + 2 * to_step, S2C_SHUFFLE(ab_high, cd_high, 0, 1, 4, 5));
    s2c_store_four(to + 3 * to_step, S2C_SHUFFLE(ab_high, cd_high, 2, 3, 6, 7));
}

/* to[i * to_step + j] = from[j * from_step + i] for i below rows and j below columns. */
S2C_INLINE void s2c_transpose_f32(float *restrict to, const float *restrict from, int32_t rows,
                                  int32_t columns, int32_t to_step, int32_t from_step)
{
    const int32_t whole_rows = rows / 4 * 4;
    const int32_t whole_columns = columns / 4 * 4;
    for (int32_t i = 0; i < whole_rows; i += 4) {
        for (int32_t j = 0; j < whole_columns; j += 4) {
            s2c_transpose_four(to + i * to_step + j, from + j * from_step + i, to_step, from_step);
        }
        for (int32_t j = whole_columns; j < columns; j++) {
            for (int32_t r = i; r < i + 4; r++) {
                to[r * to_step + j] = from[j * from_step + r];
            }
        }
    }
    for (int32_t i = whole_rows; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            to[i * to_step + j] = from[j * from_step + i];
        }
    }
}

/* The two inner axes. */
S2C_INLINE void s2c_move_plane_f32(float *restrict to, const float *restrict from, int32_t rows,
                                   int32_t from_row, int32_t to_row, int32_t columns, int32_t from_step,
                                   int32_t to_step)
{
    if (to_step == 1 && from_row == 1 && from_step != 1) {
        s2c_transpose_f32(to, from, rows, columns, to_row, from_step);
        return;
    }
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            to[i * to_row + j * to_step] = from[i * from_row + j * from_step];
        }
    }
}

#endif
