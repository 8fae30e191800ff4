/* The threshold: output[i] = input[i] within lo..hi, by two selects; NaN stays NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/float.h"

S2C_INLINE void relu_f32(float *output, const float *input, int32_t size, float lo, float hi)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_clamp_float(input[i], lo, hi);
    }
}
