/* TFLite's int8 MUL: output[i] = clamp(zero + scale((a[i] - a_zero) * (b[j] - b_zero))), where b is indexed by the
   middle of three axes.
   in place: a
   needs: vector
   Constant: every loop runs over an extent. */
#include "lib/elementwise_i8.h"

S2C_INLINE void mul_i8_vector(int8_t *output, const int8_t *a, const int8_t *b, int32_t outer, int32_t middle,
                              int32_t inner, int32_t a_zero, int32_t b_zero, int32_t mul_multiplier,
                              int32_t mul_shift, int32_t mul_zero, int32_t mul_lo, int32_t mul_hi)
{
    const s2c_ints multiplier = s2c_all_ints(mul_multiplier);
    const s2c_ints shift = s2c_all_ints(mul_shift);
#define S2C_PRODUCT(x, y)                                                                                    \
    s2c_narrow(s2c_scale_ints(((x) - a_zero) * ((y) - b_zero), multiplier, shift, mul_shift, mul_shift, 1,   \
                              mul_lo >= mul_zero) +                                                          \
                   mul_zero,                                                                                 \
               mul_lo, mul_hi)
    S2C_ELEMENTWISE(S2C_PRODUCT);
#undef S2C_PRODUCT
}
