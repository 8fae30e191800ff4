/* The loops of a function of two operands: output[at] = result, an expression of x = a[at] and y = b[m], where b is
   indexed by the middle of three axes. */
#ifndef S2C_ZIP_H
#define S2C_ZIP_H
#include "base.h"

#define S2C_ZIP(type, result)                                                                                \
    for (int32_t o = 0; o < outer; o++) {                                                                    \
        for (int32_t m = 0; m < middle; m++) {                                                               \
            for (int32_t i = 0; i < inner; i++) {                                                            \
                const int32_t at = (o * middle + m) * inner + i;                                             \
                const type x = a[at];                                                                        \
                const type y = b[m];                                                                         \
                output[at] = (result);                                                                       \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
