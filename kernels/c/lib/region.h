/* The loops of a fixed movement: output[target] = input[source] for each element of a region of five axes, which lies in
   both by an offset and strides. */
#ifndef S2C_REGION_H
#define S2C_REGION_H
#include "base.h"

#define S2C_MOVE_REGION(type)                                                                                \
    for (int32_t i = 0; i < extent0; i++) {                                                                  \
        for (int32_t j = 0; j < extent1; j++) {                                                              \
            for (int32_t k = 0; k < extent2; k++) {                                                          \
                for (int32_t l = 0; l < extent3; l++) {                                                      \
                    const type *from = input + source_offset + i * source_stride0 + j * source_stride1 +     \
                                       k * source_stride2 + l * source_stride3;                              \
                    type *to = output + target_offset + i * target_stride0 + j * target_stride1 +            \
                               k * target_stride2 + l * target_stride3;                                      \
                    for (int32_t m = 0; m < extent4; m++) {                                                  \
                        to[m * target_stride4] = from[m * source_stride4];                                   \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
