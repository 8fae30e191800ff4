/* output[o, i] = the least of input[o, j, i] over j.
   Constant: selects, no branch. */
#include "lib/fold.h"
#include "lib/whole.h"

S2C_INLINE void fold_min_i32(int32_t *restrict output, const int32_t *restrict input, int32_t outer,
                             int32_t size, int32_t inner)
{
    S2C_FOLD(int32_t, (int32_t)s2c_select_32(x < y, (uint32_t)x, (uint32_t)y));
}
