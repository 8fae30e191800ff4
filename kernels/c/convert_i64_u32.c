/* output[i] = the low bits of input[i].
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void convert_i64_u32(uint32_t *restrict output, const int64_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (uint32_t)input[i];
    }
}
