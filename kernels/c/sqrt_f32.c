/* output[i] = sqrt(input[i]), lib/root.h.
   Error over all float32 inputs: at most 0.99 ulp, 1.1e-7 relative.
   NaN and +inf stay, zeros stay, subnormals become 0, what is below them NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/root.h"

S2C_INLINE void sqrt_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_sqrt(input[i]);
    }
}
