/* The threshold: output[i] = input[i] within lo..hi, by two selects.
   in place: input
   Constant: selects, no branch. */
#include "lib/base.h"

S2C_INLINE void relu_i8(int8_t *output, const int8_t *input, int32_t size, int32_t lo, int32_t hi)
{
    for (int32_t i = 0; i < size; i++) {
        const int32_t raised = input[i] < lo ? lo : input[i];
        output[i] = (int8_t)(raised > hi ? hi : raised);
    }
}
