/* TFLite's requantization of an integer: output[i] = clamp(zero + scale(input[i])), with one multiplier for each of
   `scales` values of the last axis, or one for all.
   Constant: every loop runs over an extent. */
#include "lib/requantize.h"

S2C_INLINE void rescale_i32_i16(int16_t *restrict output, const int32_t *restrict input,
                                const int32_t *restrict multiplier, const int8_t *restrict shift,
                                int32_t rows, int32_t scales, int32_t least_shift, int32_t most_shift,
                                int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t n = 0; n < scales; n++) {
            const int32_t scaled = s2c_rescale(input[r * scales + n], multiplier[n], shift[n], least_shift,
                                               most_shift, headroom, once);
            output[r * scales + n] = (int16_t)s2c_clamp(scaled + zero, lo, hi);
        }
    }
}
