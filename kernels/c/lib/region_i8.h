/* The movement of region.h on bytes: transposes in blocks of sixteen by sixteen. */
#ifndef S2C_REGION_I8_H
#define S2C_REGION_I8_H
#include "base.h"

#define S2C_BYTES 16

typedef int8_t s2c_bytes __attribute__((vector_size(S2C_BYTES)));
typedef int8_t s2c_bytes_at __attribute__((vector_size(S2C_BYTES), aligned(1), may_alias));

#if defined(__clang__)
#define S2C_SHUFFLE_BYTES(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define S2C_SHUFFLE_BYTES(a, b, ...) __builtin_shuffle(a, b, (s2c_bytes){__VA_ARGS__})
#endif

/* The lower and the upper halves, interleaved. */
S2C_INLINE s2c_bytes s2c_zip_low_bytes(s2c_bytes a, s2c_bytes b)
{
    return S2C_SHUFFLE_BYTES(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

S2C_INLINE s2c_bytes s2c_zip_high_bytes(s2c_bytes a, s2c_bytes b)
{
    return S2C_SHUFFLE_BYTES(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* A value's place is four bits of its row and four of its column: each step moves the row's first bit behind all others,
   so that row and column have changed places after four. */
S2C_INLINE void s2c_transpose_sixteen(int8_t *to, const int8_t *from, int32_t to_step, int32_t from_step)
{
    s2c_bytes rows[S2C_BYTES];
    S2C_UNROLL
    for (int32_t i = 0; i < S2C_BYTES; i++) {
        rows[i] = *(const s2c_bytes_at *)(const void *)(from + i * from_step);
    }
    S2C_UNROLL
    for (int32_t step = 0; step < 4; step++) {
        s2c_bytes next[S2C_BYTES];
        S2C_UNROLL
        for (int32_t i = 0; i < S2C_BYTES / 2; i++) {
            next[2 * i] = s2c_zip_low_bytes(rows[i], rows[i + S2C_BYTES / 2]);
            next[2 * i + 1] = s2c_zip_high_bytes(rows[i], rows[i + S2C_BYTES / 2]);
        }
        S2C_UNROLL
        for (int32_t i = 0; i < S2C_BYTES; i++) {
            rows[i] = next[i];
        }
    }
    S2C_UNROLL
    for (int32_t i = 0; i < S2C_BYTES; i++) {
        *(s2c_bytes_at *)(void *)(to + i * to_step) = rows[i];
    }
}

/* to[i * to_step + j] = from[j * from_step + i] for i below rows and j below columns. */
S2C_INLINE void s2c_transpose_i8(int8_t *restrict to, const int8_t *restrict from, int32_t rows,
                                 int32_t columns, int32_t to_step, int32_t from_step)
{
    const int32_t whole_rows = rows / S2C_BYTES * S2C_BYTES;
    const int32_t whole_columns = columns / S2C_BYTES * S2C_BYTES;
    for (int32_t i = 0; i < whole_rows; i += S2C_BYTES) {
        for (int32_t j = 0; j < whole_columns; j += S2C_BYTES) {
            s2c_transpose_sixteen(to + i * to_step + j, from + j * from_step + i, to_step, from_step);
        }
        for (int32_t j = whole_columns; j < columns; j++) {
            for (int32_t r = i; r < i + S2C_BYTES; r++) {
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
S2C_INLINE void s2c_move_plane_i8(int8_t *restrict to, const int8_t *restrict from, int32_t rows,
                                  int32_t from_row, int32_t to_row, int32_t columns, int32_t from_step,
                                  int32_t to_step)
{
    if (to_step == 1 && from_row == 1 && from_step != 1) {
        s2c_transpose_i8(to, from, rows, columns, to_row, from_step);
        return;
    }
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            to[i * to_row + j * to_step] = from[i * from_row + j * from_step];
        }
    }
}

#endif
