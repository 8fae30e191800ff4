/* output[i] = input[i], exactly: subnormal halves, infinities and NaN too.
   Constant: integer arithmetic on the bits and one subtraction. */
#include "lib/half.h"

S2C_INLINE void convert_f16_f32(float *restrict output, const uint16_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_float_of_half(input[i]);
    }
}
