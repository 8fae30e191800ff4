/* output [batch][rows][columns] = a [batch][rows][depth] times b [batch][depth][columns], or
   b [batch][columns][depth] where transpose is 1; each output is summed over depth in order.
   Constant: every loop runs over an extent. */
#include "lib/tile_f32.h"

S2C_INLINE void batch_matmul_f32(float *restrict output, const float *restrict a, const float *restrict b,
                                 int32_t batch, int32_t rows, int32_t columns, int32_t depth,
                                 int32_t transpose)
{
    const s2c_product p = {columns, depth, transpose != 0 ? 1 : columns, transpose != 0 ? depth : 1};
    for (int32_t i = 0; i < batch; i++) {
        s2c_matrix_product(output + i * rows * columns, a + i * rows * depth, b + i * depth * columns, rows,
                           p);
    }
}
