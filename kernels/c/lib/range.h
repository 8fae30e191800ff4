/* Ranges of the units that a call's work falls into, of which each thread computes one. */
#ifndef S2C_RANGE_H
#define S2C_RANGE_H
#include "base.h"

/* From first up to last. */
typedef struct {
    int32_t first, last;
} s2c_range;

/* A range cut to those of one of several equal parts that follow each other: unit 0 is the part's first. */
S2C_INLINE s2c_range s2c_range_in(s2c_range all, int32_t part, int32_t size)
{
    const int32_t first = all.first - part * size;
    const int32_t last = all.last - part * size;
    const s2c_range found = {first < 0 ? 0 : first, last > size ? size : last};
    return found;
}

S2C_INLINE s2c_range s2c_overlap(s2c_range a, s2c_range b)
{
    const s2c_range found = {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
    return found;
}

#endif
