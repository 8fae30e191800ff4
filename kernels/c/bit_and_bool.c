/* output[i] = a[i] & b[j].
   b is indexed by the middle of three axes.
   in place: a
   Constant: one instruction of logic. */
#include "lib/zip.h"

S2C_INLINE void bit_and_bool(uint8_t *output, const uint8_t *a, const uint8_t *b, int32_t outer,
                             int32_t middle, int32_t inner)
{
    S2C_ZIP(uint8_t, (uint8_t)(x & y));
}
