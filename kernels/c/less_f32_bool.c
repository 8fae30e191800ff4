/* output[i] = 1 where a[i] < b[j], else 0, where b is indexed by the middle of three axes.
   0 where one of them is NaN; zeros of both signs are equal, and subnormals count as zeros while a net runs.
   Constant: selects, no branch. */
#include "lib/zip.h"

S2C_INLINE void less_f32_bool(uint8_t *restrict output, const float *restrict a, const float *restrict b,
                              int32_t outer, int32_t middle, int32_t inner)
{
    S2C_ZIP(float, (uint8_t)(x < y))
}
