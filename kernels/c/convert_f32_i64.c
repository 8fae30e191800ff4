/* output[i] = input[i] towards zero, saturated, NaN as 0.
   Constant: integer arithmetic on the bits, shifts of literal length. */
#include "lib/wide.h"

S2C_INLINE void convert_f32_i64(int64_t *restrict output, const float *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_i64_of_float(input[i]);
    }
}
