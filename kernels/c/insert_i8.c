/* base with a region of five axes overwritten by a region of the input.
   in place: base
   Constant: every address follows from extents and strides. */
#include "lib/region.h"

S2C_INLINE void insert_i8(int8_t *output, const int8_t *base, const int8_t *restrict input, int32_t size,
                          int32_t extent0, int32_t source_stride0, int32_t target_stride0, int32_t extent1,
                          int32_t source_stride1, int32_t target_stride1, int32_t extent2,
                          int32_t source_stride2, int32_t target_stride2, int32_t extent3,
                          int32_t source_stride3, int32_t target_stride3, int32_t extent4,
                          int32_t source_stride4, int32_t target_stride4, int32_t source_offset,
                          int32_t target_offset)
{
    for (int32_t i = 0; i < (output != base ? size : 0); i++) {
        output[i] = base[i];
    }
    S2C_MOVE_REGION(int8_t)
}
