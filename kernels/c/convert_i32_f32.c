/* output[i] = input[i] to nearest, ties to even.
   Constant: one conversion instruction, whose time does not depend on data. */
#include "lib/base.h"

S2C_INLINE void convert_i32_f32(float *restrict output, const int32_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (float)input[i];
    }
}
