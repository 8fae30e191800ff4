/* output[i] = condition[i] ? a[i] : b[i], on elements of `bytes` bytes; a step of 0 repeats an operand's one element.
   in place: a, b
   Constant: masks, no branch. */
#include "lib/element.h"

S2C_INLINE void select_any(uint8_t *output, const uint8_t *condition, const uint8_t *a, const uint8_t *b,
                           int32_t size, int32_t bytes, int32_t condition_step, int32_t a_step,
                           int32_t b_step)
{
    for (int32_t i = 0; i < size; i++) {
        const uint64_t mask = UINT64_C(0) - (uint64_t)(condition[i * condition_step] != 0);
        const uint64_t yes = s2c_load_element(a + i * a_step * bytes, bytes);
        const uint64_t no = s2c_load_element(b + i * b_step * bytes, bytes);
        s2c_store_element(output + i * bytes, no ^ ((yes ^ no) & mask), bytes);
    }
}
