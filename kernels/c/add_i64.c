/* output[i] = a[i] + b[j], wrapping around.
   b is indexed by the middle of three axes.
   in place: a
   Constant: one addition. */
#include "lib/zip.h"

S2C_INLINE void add_i64(int64_t *output, const int64_t *a, const int64_t *b, int32_t outer, int32_t middle,
                        int32_t inner)
{
    S2C_ZIP(int64_t, (int64_t)((uint64_t)x + (uint64_t)y));
}
