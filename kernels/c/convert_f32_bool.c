/* output[i] = input[i] != 0: 1 for NaN, 0 for subnormals.
   Constant: integer arithmetic on the bits. */
#include "lib/bits.h"

S2C_INLINE void convert_f32_bool(uint8_t *restrict output, const float *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (s2c_bits(input[i]) & UINT32_C(0x7f800000)) != 0;
    }
}
