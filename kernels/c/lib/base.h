/* What every kernel file includes: exact integer types, and what compilers spell differently. */
#ifndef S2C_BASE_H
#define S2C_BASE_H
#include <stdint.h>

#if defined(__GNUC__)
#define S2C_INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define S2C_LAYER static __attribute__((noinline))
#else
#define S2C_LAYER static __attribute__((noinline, noclone))
#endif
#define S2C_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define S2C_INFINITY __builtin_inff()
#define S2C_NAN __builtin_nanf("")
#else
#define S2C_INLINE static inline
#define S2C_LAYER static
#define S2C_INFINITY ((float)(1e300 * 1e300))
#define S2C_NAN (S2C_INFINITY - S2C_INFINITY)
#endif

/* Before a loop of literal extent whose values are to stay in registers: left rolled, it would keep them in memory. */
#if defined(__clang__)
#define S2C_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define S2C_UNROLL _Pragma("GCC unroll 32")
#else
#define S2C_UNROLL
#endif

#endif
