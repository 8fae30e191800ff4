/* A quantized int8 into the float that it stands for: output[i] = (input[i] - zero) * scale, which is what the table
   says.
   where: scale > 0
   needs: vector
   Constant: the loop runs over an extent. */
#include "lib/base.h"

S2C_INLINE void map_i8_f32_vector(float *restrict output, const int8_t *restrict input,
                                  const float *restrict table, int32_t size, float scale, int32_t zero)
{
    (void)table;
    for (int32_t i = 0; i < size; i++) {
        output[i] = (float)(input[i] - zero) * scale;
    }
}
