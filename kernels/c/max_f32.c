/* output[i] = the largest of input[i * size .. i * size + size - 1], by selects from the first on.
   Constant: selects, no branch. */
#include "lib/float.h"

S2C_INLINE void max_f32(float *restrict output, const float *restrict input, int32_t count, int32_t size)
{
    for (int32_t i = 0; i < count; i++) {
        float most = input[i * size];
        for (int32_t j = 1; j < size; j++) {
            const float next = input[i * size + j];
            most = s2c_select(next > most, next, most);
        }
        output[i] = most;
    }
}
