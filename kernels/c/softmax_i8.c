/* softmax on int8, TFLite's reference fixed-point arithmetic: powers come from exponentials[max - x] (Q0.31, 256
   entries, 0 where the reference skips an element), the reciprocal of their sum from three Newton-Raphson steps.
   in place: input
   Constant: the table is the only address that depends on data; the sum's leading zeros are found by selects. A whole
   1, 256 steps, becomes the highest of 255 by a shift, as do shifts of 32 to 35 become 31: of comparisons, clang makes
   branches. */
#include "lib/fixed_point.h"

S2C_INLINE void softmax_i8(int8_t *output, const int8_t *input, const int32_t *exponentials, int32_t rows,
                           int32_t size)
{
    for (int32_t r = 0; r < rows; r++) {
        const int8_t *x = input + r * size;
        int32_t most = -128;
        for (int32_t i = 0; i < size; i++) {
            most = x[i] > most ? x[i] : most;
        }
        int32_t total = 0;
        for (int32_t i = 0; i < size; i++) {
            total += s2c_rounding_shift(exponentials[most - x[i]], 12);
        }
        int32_t exponent;
        const int32_t factor = s2c_reciprocal(total, &exponent);
        const int32_t wanted = exponent + 23;
        const int32_t shift = (wanted | -(wanted >> 5)) & 31;
        for (int32_t i = 0; i < size; i++) {
            const int32_t scaled = s2c_rounding_high(factor, exponentials[most - x[i]]);
            const int32_t y = s2c_rounding_shift(scaled, shift);
            output[r * size + i] = (int8_t)(y - (y >> 8) - 128);
        }
    }
}
