/* output[i] = input[i] to nearest, ties to even.
   Constant: integer arithmetic on the bits, shifts of literal length. */
#include "lib/wide.h"

S2C_INLINE void convert_u64_f32(float *restrict output, const uint64_t *restrict input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_float_of_u64(input[i]);
    }
}
