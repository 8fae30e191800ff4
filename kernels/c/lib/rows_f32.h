/* Rows of a float contraction, LANES columns at a time: output[r, n] = clamp(bias[n] + sum over k of x[r, k] * weight[n, k]).
   weight is packed by interleave_8: the values of eight columns alternate; the columns left over stand plain behind.
   Every output is summed over k in order, from 0 on, and gets its bias last. */
#ifndef S2C_ROWS_F32_H
#define S2C_ROWS_F32_H
#include "float.h"

#define S2C_LANES 8

/* addend may be null where present is 0. */
S2C_INLINE void s2c_row_f32(float *output, const float *x, const float *addend, int32_t present,
                            const float *weight, const float *bias, int32_t columns, int32_t depth, float lo,
                            float hi, float add_lo, float add_hi)
{
    const float *w = weight;
    int32_t n = 0;
    for (; n + S2C_LANES <= columns; n += S2C_LANES) {
        float sums[S2C_LANES];
        for (int32_t i = 0; i < S2C_LANES; i++) {
            sums[i] = 0.0F;
        }
        for (int32_t k = 0; k < depth; k++) {
            for (int32_t lane = 0; lane < S2C_LANES; lane++) {
                sums[lane] += x[k] * w[lane];
            }
            w += S2C_LANES;
        }
        for (int32_t lane = 0; lane < S2C_LANES; lane++) {
            const float y = s2c_clamp_float(sums[lane] + bias[n + lane], lo, hi);
            output[n + lane] = present ? s2c_clamp_float(y + addend[n + lane], add_lo, add_hi) : y;
        }
    }
    for (; n < columns; n++) {
        float sum = 0.0F;
        for (int32_t k = 0; k < depth; k++) {
            sum += x[k] * w[k];
        }
        w += depth;
        const float y = s2c_clamp_float(sum + bias[n], lo, hi);
        output[n] = present ? s2c_clamp_float(y + addend[n], add_lo, add_hi) : y;
    }
}

#endif
