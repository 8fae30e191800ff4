/* output[i] = input[i] to nearest, ties to even; 65520 and more is infinite, subnormal floats are 0, NaN stays.
   Constant: integer arithmetic on the bits and one addition. */
#include "lib/half.h"

S2C_INLINE void convert_f32_f16(uint16_t *restrict output, const float *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_half_of_float(input[i]);
    }
}
