/* output [batch][rows][columns] = a [batch][rows][depth] times b [batch][depth][columns], or
   b [batch][columns][depth] where transpose is 1, wrapping around.
   Constant: every loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void batch_matmul_i32(int32_t *restrict output, const int32_t *restrict a,
                                 const int32_t *restrict b, int32_t batch, int32_t rows, int32_t columns,
                                 int32_t depth, int32_t transpose)
{
    for (int32_t i = 0; i < batch * rows; i++) {
        const int32_t *left = a + i * depth;
        const int32_t *right = b + i / rows * depth * columns;
        int32_t *to = output + i * columns;
        for (int32_t n = 0; n < columns; n++) {
            uint32_t sum = 0;
            for (int32_t k = 0; k < (transpose != 0 ? depth : 0); k++) {
                sum += (uint32_t)left[k] * (uint32_t)right[n * depth + k];
            }
            to[n] = (int32_t)sum;
        }
        for (int32_t k = 0; k < (transpose != 0 ? 0 : depth); k++) {
            for (int32_t n = 0; n < columns; n++) {
                to[n] = (int32_t)((uint32_t)to[n] + (uint32_t)left[k] * (uint32_t)right[k * columns + n]);
            }
        }
    }
}
