/* output[i] = the largest of input[i * size .. i * size + size - 1], by selects from the first on.
   Constant: selects, no branch. */
#include "lib/base.h"

S2C_INLINE void max_i16(int16_t *restrict output, const int16_t *restrict input, int32_t count, int32_t size)
{
    for (int32_t i = 0; i < count; i++) {
        int16_t most = input[i * size];
        for (int32_t j = 1; j < size; j++) {
            const int16_t next = input[i * size + j];
            most = next > most ? next : most;
        }
        output[i] = most;
    }
}
