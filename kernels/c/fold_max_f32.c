/* output[o, i] = the greatest of input[o, j, i] over j; NaN where there is one.
   Constant: selects, no branch. */
#include "lib/bits.h"
#include "lib/fold.h"

S2C_INLINE void fold_max_f32(float *restrict output, const float *restrict input, int32_t outer, int32_t size,
                             int32_t inner)
{
    S2C_FOLD(float, s2c_select((x > y) | (x != x), x, y));
}
