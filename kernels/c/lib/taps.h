/* Which taps of a window along one axis meet the input. */
#ifndef S2C_TAPS_H
#define S2C_TAPS_H
#include "base.h"

/* From which to before which of a kernel's taps the input has extent positions for, where tap 0 is at first. */
typedef struct {
    int32_t begin, end;
} s2c_span;

S2C_INLINE s2c_span s2c_taps_inside(int32_t first, int32_t extent, int32_t taps, int32_t dilation)
{
    const int32_t begin = first < 0 ? (-first + dilation - 1) / dilation : 0;
    const int32_t end = first >= extent ? 0 : (extent - 1 - first) / dilation + 1;
    const s2c_span range = {begin, end < taps ? end : taps};
    return range;
}

#endif
