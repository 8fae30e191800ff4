/* output[o, i] = the product of input[o, j, i] over j, wrapping around.
   Constant: the loops run over extents. */
#include "lib/fold.h"

S2C_INLINE void fold_prod_i32(int32_t *restrict output, const int32_t *restrict input, int32_t outer,
                              int32_t size, int32_t inner)
{
    S2C_FOLD(int32_t, (int32_t)((uint32_t)y * (uint32_t)x));
}
