/* output[i] = the lesser of a[i] and b[j].
   b is indexed by the middle of three axes.
   in place: a
   Constant: selects, no branch. */
#include "lib/whole.h"
#include "lib/zip.h"

S2C_INLINE void minimum_i64(int64_t *output, const int64_t *a, const int64_t *b, int32_t outer,
                            int32_t middle, int32_t inner)
{
    S2C_ZIP(int64_t, (int64_t)s2c_select_64(x < y, (uint64_t)x, (uint64_t)y));
}
