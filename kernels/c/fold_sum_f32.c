/* output[o, i] = the sum of input[o, j, i] over j, eight partial sums at a time: columns, or where there is but one
   column every eighth value of it.
   Constant: the loops run over extents. */
#include "lib/sum_f32.h"

S2C_INLINE void fold_sum_f32(float *restrict output, const float *restrict input, int32_t outer, int32_t size,
                             int32_t inner)
{
    for (int32_t o = 0; o < outer; o++) {
        const float *rows = input + o * size * inner;
        if (inner == 1) {
            output[o] = s2c_sum(rows, size);
        } else {
            s2c_sum_columns(output + o * inner, rows, size, inner);
        }
    }
}
