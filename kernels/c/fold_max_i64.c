/* output[o, i] = the greatest of input[o, j, i] over j.
   Constant: selects, no branch. */
#include "lib/fold.h"
#include "lib/whole.h"

S2C_INLINE void fold_max_i64(int64_t *restrict output, const int64_t *restrict input, int32_t outer,
                             int32_t size, int32_t inner)
{
    S2C_FOLD(int64_t, (int64_t)s2c_select_64(x > y, (uint64_t)x, (uint64_t)y));
}
