/* A fixed movement: a region of five axes goes from the input's strides to the output's; where it does not cover the
   output (fill), the rest is `value`.
   Constant: every address follows from extents and strides. */
#include "lib/region.h"

S2C_INLINE void gather_i32(int32_t *restrict output, const int32_t *restrict input, int32_t size,
                           int32_t extent0, int32_t source_stride0, int32_t target_stride0, int32_t extent1,
                           int32_t source_stride1, int32_t target_stride1, int32_t extent2,
                           int32_t source_stride2, int32_t target_stride2, int32_t extent3,
                           int32_t source_stride3, int32_t target_stride3, int32_t extent4,
                           int32_t source_stride4, int32_t target_stride4, int32_t source_offset,
                           int32_t target_offset, int32_t fill, int32_t value)
{
    for (int32_t i = 0; i < (fill != 0 ? size : 0); i++) {
        output[i] = value;
    }
    S2C_MOVE_REGION(int32_t)
}
