/* output[o, i] = the sum of input[o, j, i] over j, wrapping around.
   Constant: the loops run over extents. */
#include "lib/fold.h"

S2C_INLINE void fold_sum_i64(int64_t *restrict output, const int64_t *restrict input, int32_t outer,
                             int32_t size, int32_t inner)
{
    S2C_FOLD(int64_t, (int64_t)((uint64_t)y + (uint64_t)x));
}
