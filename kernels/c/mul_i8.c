/* TFLite's int8 MUL: output[i] = clamp(zero + scale((a[i] - a_zero) * (b[j] - b_zero))), where b is indexed by the
   middle of three axes.
   in place: a
   Constant: every loop runs over an extent. */
#include "lib/requantize.h"

S2C_INLINE void mul_i8(int8_t *output, const int8_t *a, const int8_t *b, int32_t outer, int32_t middle,
                       int32_t inner, int32_t a_zero, int32_t b_zero, int32_t mul_multiplier,
                       int32_t mul_shift, int32_t mul_zero, int32_t mul_lo, int32_t mul_hi)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t m = 0; m < middle; m++) {
            for (int32_t i = 0; i < inner; i++) {
                const int32_t at = (o * middle + m) * inner + i;
                const int32_t product = (a[at] - a_zero) * (b[m] - b_zero);
                const int32_t scaled = s2c_scale(product, mul_multiplier, mul_shift, mul_shift, mul_shift, 1);
                output[at] = (int8_t)s2c_clamp(scaled + mul_zero, mul_lo, mul_hi);
            }
        }
    }
}
