/* Rows of a constant table picked by computed indices: output [count][row_bytes], of table [rows][row_bytes]. Indices
   outside of it are clamped to its ends.
   Constant: the lookup table's entries are the only addresses that depend on data; every row is of one length. */
#include "lib/copy.h"

S2C_INLINE void lookup_any(uint8_t *restrict output, const int32_t *restrict input,
                           const uint8_t *restrict table, int32_t count, int32_t rows, int32_t row_bytes)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t raised = input[i] < 0 ? 0 : input[i];
        const int32_t row = raised > rows - 1 ? rows - 1 : raised;
        s2c_copy((int8_t *)output + i * row_bytes, (const int8_t *)table + row * row_bytes, row_bytes);
    }
}
