/* A quantized uint8 as the int8 that stands for the same number: output[i] = input[i] - 128, whose zero point is lower
   by as much.
   in place: input
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void recenter_u8_i8(int8_t *output, const uint8_t *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (int8_t)(input[i] - 128);
    }
}
