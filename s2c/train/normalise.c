// Batch normalisation and the clamp behind it, of channels-last values [count, channels], for one part of a
// batch: forward, and backward from slopes (gradients) of the results. Ioffe and Szegedy 2015.
//
// Rows of few channels are taken several at a time: each slot of a vector keeps to one channel, so that loops
// over slots become vector instructions. Sums have a fixed order. SLOTS, at least, where rows are short, comes
// from normalise.py, which allots the working memory by it.

#include <math.h>

#include "bfloat16.h"

#define TIMES 64 // a slot's sum grows in float before it goes on in double

// width: slots; total: values; block: values that are added up in float.
struct rows {
    int channels;
    int width;
    int64_t total;
    int64_t block;
};

static struct rows make_rows(int64_t count, int channels)
{
    const int width = channels < SLOTS ? channels * (SLOTS / channels) : channels;
    return (struct rows){channels, width, count * channels, (int64_t)TIMES * width};
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void clear(struct rows rows, double *restrict sums, double *restrict others)
{
    for (int c = 0; c < rows.channels; c++) {
        sums[c] = others[c] = 0.0;
    }
}

static void gather(struct rows rows, double *restrict sums, double *restrict others,
                   const float *restrict sum, const float *restrict other)
{
    for (int j = 0; j < rows.width; j++) {
        sums[j % rows.channels] += sum[j];
        others[j % rows.channels] += other[j];
    }
}

#define VALUE float
#define LOAD(value) (value)
#define STORE(value) (value)
#define NAME(name) s2c_##name##_f32
#include "normalise.h"
#undef VALUE
#undef LOAD
#undef STORE
#undef NAME

#define VALUE uint16_t
#define LOAD(value) from_bf16(value)
#define STORE(value) to_bf16(value)
#define NAME(name) s2c_##name##_bf16
#include "normalise.h"
