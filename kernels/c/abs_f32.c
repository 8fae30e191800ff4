/* output[i] = |input[i]|: exact, the sign bit cleared, for subnormals and NaN too.
   in place: input
   Constant: one and. */
#include "lib/bits.h"

S2C_INLINE void abs_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_abs(input[i]);
    }
}
