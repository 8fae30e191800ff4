/* TFLite's requantization of an int64 sum: output[i] = clamp(zero + (input[i] * factor + half) >> (15 - shift)), where
   factor is the multiplier rounded to 15 bits; one multiplier for each of `scales` values of the last axis, or one
   for all.
   Constant: every loop runs over an extent; shifts of 64 bits by a constant of the layer. */
#include "lib/requantize.h"
#include "lib/scale_wide.h"

S2C_INLINE void rescale_i64_i16(int16_t *restrict output, const int64_t *restrict input,
                                const int32_t *restrict multiplier, const int8_t *restrict shift,
                                int32_t rows, int32_t scales, int32_t least_shift, int32_t most_shift,
                                int32_t headroom, int32_t once, int32_t zero, int32_t lo, int32_t hi)
{
    (void)least_shift;
    (void)most_shift;
    (void)headroom;
    (void)once;
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t n = 0; n < scales; n++) {
            const int64_t scaled = s2c_scale_wide(input[r * scales + n], multiplier[n], shift[n]);
            output[r * scales + n] = (int16_t)s2c_clamp((int32_t)scaled + zero, lo, hi);
        }
    }
}
