/* int8 elementwise ops of two operands, a vector at a time: a[outer][middle][inner] and b[middle]. STEP(x, y) is the result,
   as integers of two vectors, less its zero point; literal parameters stand in it. */
#ifndef S2C_ELEMENTWISE_I8_H
#define S2C_ELEMENTWISE_I8_H
#include "vector_i8.h"

/* `count` elements, a literal of at most S2C_INTS, behind a and output; b is a vector where inner is 1, else one value. */
#define S2C_ELEMENTS(STEP, at, m, count)                                                                     \
    do {                                                                                                     \
        const s2c_ints x_ = s2c_widen(s2c_load_some_chars(a + (at), count));                                 \
        const s2c_ints y_ =                                                                                  \
            inner == 1 ? s2c_widen(s2c_load_some_chars(b + (m), count)) : s2c_all_ints(b[m]);                \
        s2c_store_some_chars(output + (at), STEP(x_, y_), count);                                            \
    } while (0)

#define S2C_ELEMENTWISE(STEP)                                                                                \
    do {                                                                                                     \
        const int32_t size_ = inner == 1 ? middle : inner;                                                   \
        const int32_t whole_ = size_ / S2C_INTS * S2C_INTS;                                                  \
        for (int32_t o_ = 0; o_ < (inner == 1 ? outer : outer * middle); o_++) {                             \
            const int32_t m_ = inner == 1 ? 0 : o_ % middle;                                                 \
            for (int32_t i_ = 0; i_ < whole_; i_ += S2C_INTS) {                                              \
                S2C_ELEMENTS(STEP, o_ * size_ + i_, inner == 1 ? i_ : m_, S2C_INTS);                         \
            }                                                                                                \
            if (whole_ < size_) {                                                                            \
                S2C_ELEMENTS(STEP, o_ * size_ + whole_, inner == 1 ? whole_ : m_, size_ - whole_);           \
            }                                                                                                \
        }                                                                                                    \
    } while (0)

#endif
