/* Any function of one int8: output[i] = table[input[i] + 128].
   in place: input
   Constant: the table's 256 bytes are the only address that depends on data. */
#include "lib/base.h"

S2C_INLINE void map_i8(int8_t *output, const int8_t *input, const int8_t *table, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = table[input[i] + 128];
    }
}
