/* Rows picked by constant indices: of input [outer][source][inner] those of index [count] make output
   [outer][count][inner], in elements of `bytes` bytes; where an index is -1 (fill), the bits of `value`.
   Constant: every address and branch follows from extents and from the index, which is a constant of the net. */
#include "lib/copy.h"
#include "lib/element.h"

S2C_INLINE void take_any(uint8_t *restrict output, const uint8_t *restrict input,
                         const int32_t *restrict index, int32_t outer, int32_t source, int32_t inner,
                         int32_t count, int32_t bytes, int32_t fill, int64_t value)
{
    const int32_t row = inner * bytes;
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t n = 0; n < count; n++) {
            uint8_t *to = output + (o * count + n) * row;
            if (fill != 0 && index[n] < 0) {
                for (int32_t i = 0; i < inner; i++) {
                    s2c_store_element(to + i * bytes, (uint64_t)value, bytes);
                }
            } else {
                s2c_copy((int8_t *)to, (const int8_t *)input + (o * source + index[n]) * row, row);
            }
        }
    }
}
