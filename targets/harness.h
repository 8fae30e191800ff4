/* What harness.c asks of a target's io.c. No libc: a freestanding target has none. */
#ifndef S2C_HARNESS_H
#define S2C_HARNESS_H

/* Keeps the harness out of the net's own text, so that counting by address counts the net alone. */
#ifdef S2C_HARNESS_SECTION
#define S2C_HARNESS __attribute__((noinline, section(S2C_HARNESS_SECTION)))
#else
#define S2C_HARNESS __attribute__((noinline))
#endif

typedef unsigned long s2c_size;

s2c_size s2c_read(unsigned char *to, s2c_size bytes); /* how many came: fewer only at the end of the input */
void s2c_write(const unsigned char *from, s2c_size bytes);
void s2c_flush(void);
s2c_size s2c_stack_room(const unsigned char *stack_pointer); /* bytes below it that may be painted */

void s2c_start(void);         /* right before the net runs */
unsigned long s2c_stop(void); /* right after; nanoseconds since s2c_start where the target has a clock */

/* Serves inputs until they end; 0, or 1 when the input ended within one, or S2C_LACKS_INSTRUCTIONS, without a run, where
   the processor lacks some that the net was compiled for, or S2C_NO_THREADS, where the system starts none, or S2C_THREADS_DIFFER, where
   they computed other bytes than one thread. times: NULL, or room for `repeat` numbers. */
#define S2C_LACKS_INSTRUCTIONS 3
#define S2C_NO_THREADS 4
#define S2C_THREADS_DIFFER 5
int s2c_serve(s2c_size repeat, unsigned long *times);

#endif
