/* output[i] = input[i].
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void convert_i8_i32(int32_t *restrict output, const int8_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = input[i];
    }
}
