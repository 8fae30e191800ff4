/* A product of two float matrices, four rows and S2C_TILE columns at a time: the sums stay in registers, so that a value
   loaded from either matrix serves a row or column of the tile. Each output is summed over k in order, in any tile. */
#ifndef S2C_TILE_F32_H
#define S2C_TILE_F32_H
#include "base.h"

/* As many columns as the float registers hold. */
#if defined(__AVX__) || defined(__aarch64__)
#define S2C_TILE 16
#else
#define S2C_TILE 4
#endif

/* b holds its value [k][n] at k * step + n * stride. */
typedef struct {
    int32_t columns, depth, step, stride;
} s2c_product;

/* One row; count, a literal of up to S2C_TILE, columns. */
S2C_INLINE void s2c_row_tile(float *output, const float *a, const float *b, int32_t count, s2c_product p)
{
    float sums[S2C_TILE];
    for (int32_t i = 0; i < S2C_TILE; i++) {
        sums[i] = 0.0F;
    }
    for (int32_t k = 0; k < p.depth; k++) {
        for (int32_t n = 0; n < count; n++) {
            sums[n] += a[k] * b[k * p.step + n * p.stride];
        }
    }
    for (int32_t n = 0; n < count; n++) {
        output[n] = sums[n];
    }
}

S2C_INLINE void s2c_four_rows_tile(float *output, const float *a, const float *b, int32_t count,
                                   s2c_product p)
{
    float s0[S2C_TILE];
    float s1[S2C_TILE];
    float s2[S2C_TILE];
    float s3[S2C_TILE];
    for (int32_t i = 0; i < S2C_TILE; i++) {
        s0[i] = 0.0F;
        s1[i] = 0.0F;
        s2[i] = 0.0F;
        s3[i] = 0.0F;
    }
    for (int32_t k = 0; k < p.depth; k++) {
        const float a0 = a[k];
        const float a1 = a[p.depth + k];
        const float a2 = a[2 * p.depth + k];
        const float a3 = a[3 * p.depth + k];
        for (int32_t n = 0; n < count; n++) {
            const float x = b[k * p.step + n * p.stride];
            s0[n] += a0 * x;
            s1[n] += a1 * x;
            s2[n] += a2 * x;
            s3[n] += a3 * x;
        }
    }
    for (int32_t n = 0; n < count; n++) {
        output[n] = s0[n];
        output[p.columns + n] = s1[n];
        output[2 * p.columns + n] = s2[n];
        output[3 * p.columns + n] = s3[n];
    }
}

S2C_INLINE void s2c_row_product(float *output, const float *a, const float *b, s2c_product p)
{
    int32_t n = 0;
    for (; n + S2C_TILE <= p.columns; n += S2C_TILE) {
        s2c_row_tile(output + n, a, b + n * p.stride, S2C_TILE, p);
    }
    for (; n + 4 <= p.columns; n += 4) {
        s2c_row_tile(output + n, a, b + n * p.stride, 4, p);
    }
    for (; n < p.columns; n++) {
        s2c_row_tile(output + n, a, b + n * p.stride, 1, p);
    }
}

S2C_INLINE void s2c_four_rows_product(float *output, const float *a, const float *b, s2c_product p)
{
    int32_t n = 0;
    for (; n + S2C_TILE <= p.columns; n += S2C_TILE) {
        s2c_four_rows_tile(output + n, a, b + n * p.stride, S2C_TILE, p);
    }
    for (; n + 4 <= p.columns; n += 4) {
        s2c_four_rows_tile(output + n, a, b + n * p.stride, 4, p);
    }
    for (; n < p.columns; n++) {
        s2c_four_rows_tile(output + n, a, b + n * p.stride, 1, p);
    }
}

/* output [rows][columns] = a [rows][depth] times b. */
S2C_INLINE void s2c_matrix_product(float *output, const float *a, const float *b, int32_t rows, s2c_product p)
{
    const int32_t whole = rows / 4 * 4;
    for (int32_t r = 0; r < whole; r += 4) {
        s2c_four_rows_product(output + r * p.columns, a + r * p.depth, b, p);
    }
    for (int32_t r = whole; r < rows; r++) {
        s2c_row_product(output + r * p.columns, a + r * p.depth, b, p);
    }
}

#endif
