/* Reset of a Cortex-M: vectors, FPU on, .data and .bss, then the harness. It sets nothing else. */
#include "harness.h"

#define S2C_CPACR (*(volatile unsigned *)0xE000ED88u) /* ARMv7-M and ARMv8-M: coprocessor access control */

extern unsigned s2c_data_load[], s2c_data_start[], s2c_data_end[];
extern unsigned s2c_bss_start[], s2c_bss_end[];
extern unsigned s2c_stack_top[];

void s2c_exit(int failed);
void s2c_reset(void);
void s2c_fault(void);

S2C_HARNESS void s2c_reset(void)
{
    S2C_CPACR |= 0xFu << 20; /* CP10 and CP11: full access */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    const volatile unsigned *from = s2c_data_load;
    for (volatile unsigned *to = s2c_data_start; to < s2c_data_end; to++) {
        *to = *from++;
    }
    for (volatile unsigned *to = s2c_bss_start; to < s2c_bss_end; to++) {
        *to = 0u;
    }
    s2c_exit(s2c_serve(1u, 0));
}

struct s2c_vectors {
    unsigned *stack_top;
    void (*handlers[15])(void);
};

extern const struct s2c_vectors s2c_vectors;
/* Any exception is a fault: the net takes no interrupts. */
__attribute__((section(".vectors"), used)) const struct s2c_vectors s2c_vectors = {
    s2c_stack_top,
    {s2c_reset, s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault,
     s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault, s2c_fault},
};
