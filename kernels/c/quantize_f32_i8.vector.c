/* output[i] = round(input[i] / scale) + zero within -128..127, where the quotient is first rounded to float32 and ties go to
   even, to the bit: products of doubles, within 2^-51 of the quotient, round as it does, since a quotient of
   floats lies no nearer than 2^-49 to what is halfway between two floats.
   NaN and -inf become -128, +inf 127, subnormals what 0 becomes.
   needs: vector
   Constant: selects, no branch, no division. */
#include "lib/exponential.h"
#include "lib/reciprocal.h"

S2C_INLINE void quantize_f32_i8_vector(int8_t *restrict output, const float *restrict input, int32_t size,
                                       float scale, int32_t zero)
{
    const double divisor = (double)scale;
    const float lo = (float)(-128 - zero) * scale;
    const float hi = (float)(127 - zero) * scale;
    double inverse = (double)s2c_reciprocal_of_positive(scale);
    inverse = inverse + inverse * (1.0 - divisor * inverse);
    inverse = inverse + inverse * (1.0 - divisor * inverse);
    for (int32_t i = 0; i < size; i++) {
        const float raised = s2c_select(input[i] > lo, input[i], lo);
        const float bounded = s2c_select(raised < hi, raised, hi);
        const float quotient = (float)((double)bounded * inverse);
        output[i] = (int8_t)(uint8_t)(s2c_bits(quotient + S2C_ROUND) + (uint32_t)zero);
    }
}
