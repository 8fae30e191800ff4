/* A quantized int8 as the uint8 that stands for the same number: output[i] = input[i] + 128, whose zero point is higher
   by as much.
   in place: input
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void recenter_i8_u8(uint8_t *output, const int8_t *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (uint8_t)(input[i] + 128);
    }
}
