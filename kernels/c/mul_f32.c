/* output[i] = clamp(a[i] * b[j]), where b is indexed by the middle of three axes.
   in place: a
   Constant: selects, no branch. */
#include "lib/float.h"

S2C_INLINE void mul_f32(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                        int32_t inner, float mul_lo, float mul_hi)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t m = 0; m < middle; m++) {
            for (int32_t i = 0; i < inner; i++) {
                const int32_t at = (o * middle + m) * inner + i;
                output[at] = s2c_clamp_float(a[at] * b[m], mul_lo, mul_hi);
            }
        }
    }
}
