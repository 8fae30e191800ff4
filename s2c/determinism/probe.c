/* In the process of a runtime: an empty loop, its stack touched, and its calls of the allocator counted.
 *
 * Counting needs no LD_PRELOAD: the slots through which loaded libraries call the allocator, in their global
 * offset tables, are pointed to functions that count and forward. What libc calls within itself is not seen. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_BYTES 1048576

#if defined(__x86_64__)
#define IS_SLOT(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT || (type) == R_X86_64_64)
#elif defined(__aarch64__)
#define IS_SLOT(type)                                                                                        \
    ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT || (type) == R_AARCH64_ABS64)
#else
#error "no relocations known for this architecture"
#endif

void s2c_probe_spin(int64_t steps);
void s2c_probe_touch_stack(void);
int32_t s2c_probe_watch(void);

/* Calls of the allocator since the process began to watch, of all threads. */
uint64_t s2c_probe_calls;

/* An empty loop: nothing but registers. */
void s2c_probe_spin(int64_t steps)
{
    for (int64_t step = 0; step < steps; step++) {
        __asm__ volatile("" : "+r"(step));
    }
}

/* So that no call waits for a page of its stack. */
void s2c_probe_touch_stack(void)
{
    unsigned char bytes[STACK_BYTES];
    for (int32_t i = 0; i < STACK_BYTES; i += 512) {
        ((volatile unsigned char *)bytes)[i] = 0;
    }
}

static void count(void)
{
    __atomic_fetch_add(&s2c_probe_calls, 1, __ATOMIC_RELAXED);
}

static void *count_malloc(size_t size)
{
    count();
    return malloc(size);
}

static void *count_calloc(size_t number, size_t size)
{
    count();
    return calloc(number, size);
}

static void *count_realloc(void *memory, size_t size)
{
    count();
    return realloc(memory, size);
}

static void *count_aligned_alloc(size_t alignment, size_t size)
{
    count();
    return aligned_alloc(alignment, size);
}

static int count_posix_memalign(void **memory, size_t alignment, size_t size)
{
    count();
    return posix_memalign(memory, alignment, size);
}

static void *count_memalign(size_t alignment, size_t size)
{
    void *memory = NULL;
    count();
    return posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0
               ? memory
               : NULL;
}

static const struct {
    const char *name;
    uintptr_t counter;
} counters[] = {
    {"malloc", (uintptr_t)count_malloc},
    {"calloc", (uintptr_t)count_calloc},
    {"realloc", (uintptr_t)count_realloc},
    {"aligned_alloc", (uintptr_t)count_aligned_alloc},
    {"posix_memalign", (uintptr_t)count_posix_memalign},
    {"memalign", (uintptr_t)count_memalign},
};

struct object {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2];
    size_t sizes[2]; /* bytes */
};

static uintptr_t counter_of(const char *name)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (strcmp(name, counters[i].name) == 0) {
            return counters[i].counter;
        }
    }
    return 0;
}

/* Slots may lie in pages that were made read-only after relocation. */
static int32_t point(uintptr_t slot, uintptr_t counter)
{
    const uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)(slot & ~(page_bytes - 1));
    if (mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) {
        return 0;
    }
    *(uintptr_t *)slot = counter;
    return 1;
}

static int32_t point_all(const struct object *object)
{
    int32_t found = 0;
    for (int32_t table = 0; table < 2; table++) {
        const size_t number = object->sizes[table] / sizeof(ElfW(Rela));
        for (size_t i = 0; i < number; i++) {
            const ElfW(Rela) *entry = &object->tables[table][i];
            const uint32_t symbol = (uint32_t)ELF64_R_SYM(entry->r_info);
            if (symbol != 0 && IS_SLOT(ELF64_R_TYPE(entry->r_info))) {
                const uintptr_t counter = counter_of(object->names + object->symbols[symbol].st_name);
                found += counter != 0 ? point(object->base + entry->r_offset, counter) : 0;
            }
        }
    }
    return found;
}

/* glibc has relocated the addresses of a dynamic section; the kernel's own object has them relative. */
static uintptr_t address(uintptr_t base, uintptr_t value)
{
    return value < base ? base + value : value;
}

static int visit(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    struct object object = {.base = info->dlpi_addr};
    int is_own = 0;
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uintptr_t start = object.base + header->p_vaddr;
        if (header->p_type == PT_LOAD && (uintptr_t)visit >= start &&
            (uintptr_t)visit < start + header->p_memsz) {
            is_own = 1; /* or the counting functions would call themselves */
        }
        if (header->p_type == PT_DYNAMIC) {
            dynamic = (const ElfW(Dyn) *)start;
        }
    }
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        const uintptr_t value = address(object.base, dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            object.symbols = (const ElfW(Sym) *)value;
            break;
        case DT_STRTAB:
            object.names = (const char *)value;
            break;
        case DT_RELA:
            object.tables[0] = (const ElfW(Rela) *)value;
            break;
        case DT_RELASZ:
            object.sizes[0] = dynamic->d_un.d_val;
            break;
        case DT_JMPREL:
            object.tables[1] = (const ElfW(Rela) *)value;
            break;
        case DT_PLTRELSZ:
            object.sizes[1] = dynamic->d_un.d_val;
            break;
        default:
            break;
        }
    }
    if (!is_own && object.symbols != NULL && object.names != NULL) {
        *(int32_t *)found += point_all(&object);
    }
    return 0;
}

/* Of what is loaded now: how many slots count from here on. */
int32_t s2c_probe_watch(void)
{
    int32_t found = 0;
    (void)dl_iterate_phdr(visit, &found);
    return found;
}
