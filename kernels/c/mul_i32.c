/* output[i] = a[i] * b[j], wrapping around.
   b is indexed by the middle of three axes.
   in place: a
   Constant: multiplication by instructions whose time does not depend on data. */
#include "lib/zip.h"

S2C_INLINE void mul_i32(int32_t *output, const int32_t *a, const int32_t *b, int32_t outer, int32_t middle,
                        int32_t inner)
{
    S2C_ZIP(int32_t, (int32_t)((uint32_t)x * (uint32_t)y));
}
