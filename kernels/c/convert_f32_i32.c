/* output[i] = input[i] towards zero, saturated, NaN as 0.
   Constant: selects, and one conversion instruction on what is in range. */
#include "lib/wide.h"

S2C_INLINE void convert_f32_i32(int32_t *restrict output, const float *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_i32_of_float(input[i]);
    }
}
