/* Whether this processor has the instructions that the compiler was told to use (-march, -mcpu): a net that runs without
   them ends in an illegal instruction. */
#ifndef S2C_PROCESSOR_H
#define S2C_PROCESSOR_H
#include "base.h"

/* 1 where the compiler defines the macro, as 1, else 0. */
#define S2C_IS_DEFINED(macro) S2C_LOOK_AT(macro)
#define S2C_LOOK_AT(value) S2C_CHOOSE(S2C_IS_##value 1, 0)
#define S2C_IS_1 0,
#define S2C_CHOOSE(...) S2C_SECOND(__VA_ARGS__, 0)
#define S2C_SECOND(first, second, ...) second

#define S2C_BIT(macro, bit) ((uint32_t)S2C_IS_DEFINED(macro) << (bit))

#if defined(__GNUC__) && defined(__x86_64__)

/* Intel, "Software Developer's Manual", volume 2A, CPUID; AMD's manual, volume 3, appendix E, has leaf 0x80000001. */
#define S2C_LEAF_1_ECX                                                                                       \
    (S2C_BIT(__SSE3__, 0) | S2C_BIT(__SSSE3__, 9) | S2C_BIT(__FMA__, 12) | S2C_BIT(__SSE4_1__, 19) |         \
     S2C_BIT(__SSE4_2__, 20) | S2C_BIT(__MOVBE__, 22) | S2C_BIT(__POPCNT__, 23) | S2C_BIT(__AVX__, 28) |     \
     S2C_BIT(__F16C__, 29))
#define S2C_LEAF_7_EBX                                                                                       \
    (S2C_BIT(__BMI__, 3) | S2C_BIT(__AVX2__, 5) | S2C_BIT(__BMI2__, 8) | S2C_BIT(__AVX512F__, 16) |          \
     S2C_BIT(__AVX512DQ__, 17) | S2C_BIT(__AVX512IFMA__, 21) | S2C_BIT(__AVX512CD__, 28) |                   \
     S2C_BIT(__AVX512BW__, 30) | S2C_BIT(__AVX512VL__, 31))
#define S2C_LEAF_7_ECX                                                                                       \
    (S2C_BIT(__AVX512VBMI__, 1) | S2C_BIT(__AVX512VBMI2__, 6) | S2C_BIT(__GFNI__, 8) |                       \
     S2C_BIT(__AVX512VNNI__, 11) | S2C_BIT(__AVX512BITALG__, 12) | S2C_BIT(__AVX512VPOPCNTDQ__, 14))
#define S2C_LEAF_7_EDX                                                                                       \
    (S2C_BIT(__AMX_BF16__, 22) | S2C_BIT(__AVX512FP16__, 23) | S2C_BIT(__AMX_TILE__, 24) |                   \
     S2C_BIT(__AMX_INT8__, 25))
#define S2C_LEAF_7_1_EAX (S2C_BIT(__AVXVNNI__, 4) | S2C_BIT(__AVX512BF16__, 5))
#define S2C_LEAF_7_1_EDX (S2C_BIT(__AVXVNNIINT8__, 4) | S2C_BIT(__AVXNECONVERT__, 5))
#define S2C_EXTENDED_1_ECX                                                                                   \
    (S2C_BIT(__LZCNT__, 5) | S2C_BIT(__SSE4A__, 6) | S2C_BIT(__XOP__, 11) | S2C_BIT(__FMA4__, 16) |          \
     S2C_BIT(__TBM__, 21))
/* What the system must keep for each program (the register XCR0): SSE and AVX, the rest of AVX-512, the tiles of AMX. */
#define S2C_KEPT                                                                                             \
    ((S2C_IS_DEFINED(__AVX__) ? UINT32_C(0x6) : 0) | (S2C_IS_DEFINED(__AVX512F__) ? UINT32_C(0xE0) : 0) |    \
     (S2C_IS_DEFINED(__AMX_TILE__) ? UINT32_C(0x60000) : 0))
#define S2C_OSXSAVE (UINT32_C(1) << 27)

/* What asks may not use what it asks for. */
#define S2C_ANY_PROCESSOR __attribute__((target("no-avx,no-bmi,no-bmi2,no-lzcnt,no-movbe,no-popcnt")))

typedef struct {
    uint32_t eax, ebx, ecx, edx;
} s2c_leaf;

S2C_ANY_PROCESSOR static s2c_leaf s2c_read_leaf(uint32_t number, uint32_t part)
{
    s2c_leaf found;
    __asm__ volatile("cpuid"
                     : "=a"(found.eax), "=b"(found.ebx), "=c"(found.ecx), "=d"(found.edx)
                     : "a"(number), "c"(part));
    return found;
}

/* Zeros where the processor has no such leaf. */
S2C_ANY_PROCESSOR static s2c_leaf s2c_find_leaf(uint32_t number, uint32_t part)
{
    const s2c_leaf none = {0, 0, 0, 0};
    const s2c_leaf first = s2c_read_leaf(number & UINT32_C(0x80000000), 0);
    if (first.eax < number || (part > 0 && s2c_read_leaf(number, 0).eax < part)) {
        return none;
    }
    return s2c_read_leaf(number, part);
}

S2C_ANY_PROCESSOR static uint32_t s2c_kept_by_system(uint32_t leaf_1_ecx)
{
    uint32_t low = 0;
    uint32_t high;
    if ((leaf_1_ecx & S2C_OSXSAVE) != 0) {
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    }
    return low;
}

S2C_ANY_PROCESSOR static int32_t s2c_has_instructions(void)
{
    const s2c_leaf leaf_1 = s2c_find_leaf(1, 0);
    const s2c_leaf leaf_7 = s2c_find_leaf(7, 0);
    const s2c_leaf leaf_7_1 = s2c_find_leaf(7, 1);
    const s2c_leaf extended_1 = s2c_find_leaf(UINT32_C(0x80000001), 0);
    const uint32_t kept = s2c_kept_by_system(leaf_1.ecx);
    return (leaf_1.ecx & S2C_LEAF_1_ECX) == S2C_LEAF_1_ECX &&
           (leaf_7.ebx & S2C_LEAF_7_EBX) == S2C_LEAF_7_EBX &&
           (leaf_7.ecx & S2C_LEAF_7_ECX) == S2C_LEAF_7_ECX &&
           (leaf_7.edx & S2C_LEAF_7_EDX) == S2C_LEAF_7_EDX &&
           (leaf_7_1.eax & S2C_LEAF_7_1_EAX) == S2C_LEAF_7_1_EAX &&
           (leaf_7_1.edx & S2C_LEAF_7_1_EDX) == S2C_LEAF_7_1_EDX &&
           (extended_1.ecx & S2C_EXTENDED_1_ECX) == S2C_EXTENDED_1_ECX && (kept & S2C_KEPT) == S2C_KEPT;
}

#elif defined(__GNUC__) && defined(__aarch64__) && defined(__linux__)

#define S2C_ANY_PROCESSOR

/* A field of an identification register, which Linux reads for a program; -1 and 15 stand for nothing there. */
#define S2C_FIELD(register, shift)                                                                           \
    __extension__({                                                                                          \
        uint64_t found;                                                                                      \
        __asm__ volatile("mrs %0, " #register : "=r"(found));                                                \
        (uint32_t)(found >> (shift)) & 15U;                                                                  \
    })

/* Arm Architecture Reference Manual, D19.2: ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64PFR0_EL1. */
static int32_t s2c_has_instructions(void)
{
    const uint32_t dot = S2C_FIELD(ID_AA64ISAR0_EL1, 44);
    const uint32_t matrices = S2C_FIELD(ID_AA64ISAR1_EL1, 52);
    const uint32_t brains = S2C_FIELD(ID_AA64ISAR1_EL1, 44);
    const uint32_t halves = S2C_FIELD(ID_AA64PFR0_EL1, 20);
    const uint32_t scalable = S2C_FIELD(ID_AA64PFR0_EL1, 32);
    return (dot != 0 || !S2C_IS_DEFINED(__ARM_FEATURE_DOTPROD)) &&
           (matrices != 0 || !S2C_IS_DEFINED(__ARM_FEATURE_MATMUL_INT8)) &&
           (brains != 0 || !S2C_IS_DEFINED(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)) &&
           (halves == 1 || !S2C_IS_DEFINED(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)) &&
           (scalable != 0 || !S2C_IS_DEFINED(__ARM_FEATURE_SVE));
}

#else

#define S2C_ANY_PROCESSOR

static int32_t s2c_has_instructions(void)
{
    return 1;
}

#endif

#endif
