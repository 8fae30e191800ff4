/* output[i] = round(input[i] / scale) + zero within -128..127, ties away from zero, to the bit;
   lib/quantize.h. NaN and -inf become -128, +inf 127, subnormals what 0 becomes.
   Constant: selects, no branch, no division. */
#include "lib/quantize.h"

S2C_INLINE void quantize_away_f32_i8(int8_t *output, const float *input, int32_t size, float scale,
                                     int32_t zero)
{
    const float inverse = s2c_reciprocal_of_positive(scale);
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_quantize(input[i], inverse, scale, zero, 1);
    }
}
