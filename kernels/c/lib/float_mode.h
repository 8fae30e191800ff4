/* Subnormal floats count as zero while a net runs: they would take many times as long on most CPUs.
   s2c_flush_subnormals returns the mode before, for s2c_restore_float_mode. Elsewhere both do nothing. */
#ifndef S2C_FLOAT_MODE_H
#define S2C_FLOAT_MODE_H
#include "base.h"

#if defined(__GNUC__) && defined(__SSE__)

S2C_INLINE uint64_t s2c_flush_subnormals(void)
{
    const uint32_t before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040U);
    return before;
}

S2C_INLINE void s2c_restore_float_mode(uint64_t mode)
{
    __builtin_ia32_ldmxcsr((uint32_t)mode);
}

#elif defined(__GNUC__) && defined(__aarch64__)

S2C_INLINE uint64_t s2c_flush_subnormals(void)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)));
    return before;
}

S2C_INLINE void s2c_restore_float_mode(uint64_t mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}

#elif defined(__GNUC__) && defined(__ARM_FP)

S2C_INLINE uint64_t s2c_flush_subnormals(void)
{
    uint32_t before;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(before));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(before | (UINT32_C(1) << 24)));
    return before;
}

S2C_INLINE void s2c_restore_float_mode(uint64_t mode)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)mode));
}

#else

S2C_INLINE uint64_t s2c_flush_subnormals(void)
{
    return 0;
}

S2C_INLINE void s2c_restore_float_mode(uint64_t mode)
{
    (void)mode;
}

#endif

#endif
