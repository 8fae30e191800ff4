/* A fixed movement: a region of five axes goes from the input's strides to the output's; where it does not cover the
   output (fill), the rest is `value`.
   needs: vector
   Constant: every address follows from extents and strides. */
#include "lib/region_i8.h"

S2C_INLINE void gather_i8_vector(int8_t *restrict output, const int8_t *restrict input, int32_t size,
                                 int32_t extent0, int32_t source_stride0, int32_t target_stride0,
                                 int32_t extent1, int32_t source_stride1, int32_t target_stride1,
                                 int32_t extent2, int32_t source_stride2, int32_t target_stride2,
                                 int32_t extent3, int32_t source_stride3, int32_t target_stride3,
                                 int32_t extent4, int32_t source_stride4, int32_t target_stride4,
                                 int32_t source_offset, int32_t target_offset, int32_t fill, int32_t value)
{
    for (int32_t i = 0; i < (fill != 0 ? size : 0); i++) {
        output[i] = (int8_t)value;
    }
    for (int32_t i = 0; i < extent0; i++) {
        for (int32_t j = 0; j < extent1; j++) {
            for (int32_t k = 0; k < extent2; k++) {
                const int32_t from =
                    source_offset + i * source_stride0 + j * source_stride1 + k * source_stride2;
                const int32_t to =
                    target_offset + i * target_stride0 + j * target_stride1 + k * target_stride2;
                s2c_move_plane_i8(output + to, input + from, extent3, source_stride3, target_stride3, extent4,
                                  source_stride4, target_stride4);
            }
        }
    }
}
