/* output[o, i] = the product of input[o, j, i] over j, in order: a relative error of up to size * 2^-24.
   Constant: the loops run over extents. */
#include "lib/fold.h"

S2C_INLINE void fold_prod_f32(float *restrict output, const float *restrict input, int32_t outer,
                              int32_t size, int32_t inner)
{
    S2C_FOLD(float, y *x);
}
