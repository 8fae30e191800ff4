// Batch normalisation and the clamp behind it, of channels-last values [rows, channels], for one part of a
// batch: forward, and backward from slopes (gradients) of the results. Ioffe and Szegedy 2015.
//
// Rows of few channels are taken several at a time: each slot of a vector keeps to one channel, so that loops
// over slots become vector instructions. Sums have a fixed order.

#include <math.h>
#include <stdint.h>
#include <string.h>

#define ROWS 64  // times a slot's sum grows in float before it goes on in double
#define SLOTS 64  // at least, where rows are short

static int width_of(int channels) { return channels < SLOTS ? channels * (SLOTS / channels) : channels; }

static inline float from_bf16(uint16_t value) {
  const uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

// Rounds to the nearest, to even between two.
static inline uint16_t to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
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
