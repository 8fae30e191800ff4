/* The loops of a reduction along the middle of three axes: y starts as the first value, and becomes result, an expression
   of y and the next value x. Eight columns at a time stay in registers. */
#ifndef S2C_FOLD_H
#define S2C_FOLD_H
#include "base.h"

#define S2C_FOLD_COLUMNS(type, count, result)                                                                \
    for (; first + (count) <= inner; first += (count)) {                                                     \
        const type *from = input + o * size * inner + first;                                                 \
        type y_of[count];                                                                                    \
        for (int32_t i = 0; i < (count); i++) {                                                              \
            y_of[i] = from[i];                                                                               \
        }                                                                                                    \
        for (int32_t j = 1; j < size; j++) {                                                                 \
            for (int32_t i = 0; i < (count); i++) {                                                          \
                const type x = from[j * inner + i];                                                          \
                const type y = y_of[i];                                                                      \
                y_of[i] = (result);                                                                          \
            }                                                                                                \
        }                                                                                                    \
        for (int32_t i = 0; i < (count); i++) {                                                              \
            output[o * inner + first + i] = y_of[i];                                                         \
        }                                                                                                    \
    }

#define S2C_FOLD(type, result)                                                                               \
    for (int32_t o = 0; o < outer; o++) {                                                                    \
        int32_t first = 0;                                                                                   \
        S2C_FOLD_COLUMNS(type, 8, result)                                                                    \
        S2C_FOLD_COLUMNS(type, 1, result)                                                                    \
    }

#endif
