/* output[i] = the low bits of input[i].
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void convert_i32_i8(int8_t *restrict output, const int32_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (int8_t)input[i];
    }
}
