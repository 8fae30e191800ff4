/* The threshold: output[i] = input[i] within lo..hi, by two selects; NaN stays NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/base.h"

S2C_INLINE void relu_f32(float *output, const float *input, int32_t size, float lo, float hi)
{
    for (int32_t i = 0; i < size; i++) {
        const float raised = input[i] < lo ? lo : input[i];
        output[i] = (float)(raised > hi ? hi : raised);
    }
}
