/* Copy and fill of n bytes, four at a time; n comes from shapes. */
#ifndef S2C_COPY_H
#define S2C_COPY_H
#include "base.h"

S2C_INLINE void s2c_copy(int8_t *output, const int8_t *input, int32_t n)
{
    int32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint32_t word;
        __builtin_memcpy(&word, input + i, 4);
        __builtin_memcpy(output + i, &word, 4);
    }
    for (; i < n; i++) {
        output[i] = input[i];
    }
}

S2C_INLINE void s2c_fill(int8_t *output, int32_t value, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        output[i] = (int8_t)value;
    }
}

#endif
