/* output[i] = input[i] != 0.
   Constant: a comparison, no branch. */
#include "lib/base.h"

S2C_INLINE void convert_i64_bool(uint8_t *restrict output, const int64_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = input[i] != 0;
    }
}
