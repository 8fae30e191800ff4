/* output[i] = the bits of input[i].
   in place: input
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void convert_u64_i64(int64_t *output, const uint64_t *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = (int64_t)input[i];
    }
}
