/* A net's library called some times, for a tool that counts instructions from outside: what it counts with
 * and without the calls differs by the calls alone.
 *
 *     count LIBRARY FUNCTION RESET ARENA_BYTES CALLS OFFSET BYTES [OFFSET BYTES ..] <inputs
 *
 * FUNCTION or RESET may be "-": then it is left out. The inputs are written again before each call. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64
#define FIRST_SPAN 6

typedef void net_function(void *arena);

static net_function *find(void *library, const char *name)
{
    net_function *function = NULL;
    if (strcmp(name, "-") != 0) {
        void *symbol = dlsym(library, name);
        memcpy(&function, &symbol, sizeof(function)); /* ISO C has no cast from data to functions */
    }
    return function;
}

static int fail(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    return 2;
}

int main(int count, char **arguments)
{
    if (count < FIRST_SPAN || (count - FIRST_SPAN) % 2 != 0) {
        return fail("usage: count LIBRARY FUNCTION RESET ARENA_BYTES CALLS OFFSET BYTES ..");
    }
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (library == NULL) {
        return fail(dlerror());
    }
    net_function *run = find(library, arguments[2]);
    net_function *reset = find(library, arguments[3]);
    const size_t arena_bytes = (strtoul(arguments[4], NULL, 10) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const unsigned long calls = strtoul(arguments[5], NULL, 10);
    unsigned char *arena = aligned_alloc(ALIGNMENT, arena_bytes);
    unsigned char *kept = aligned_alloc(ALIGNMENT, arena_bytes);
    if (arena == NULL || kept == NULL) {
        return fail("no memory for the arena");
    }
    memset(arena, 0, arena_bytes);
    for (int i = FIRST_SPAN; i < count; i += 2) {
        const size_t bytes = strtoul(arguments[i + 1], NULL, 10);
        if (fread(kept + strtoul(arguments[i], NULL, 10), 1, bytes, stdin) != bytes) {
            return fail("the input ended early");
        }
    }
    if (reset != NULL) {
        reset(arena);
    }
    for (unsigned long call = 0; call < calls; call++) {
        for (int i = FIRST_SPAN; i < count; i += 2) {
            const size_t offset = strtoul(arguments[i], NULL, 10);
            memcpy(arena + offset, kept + offset, strtoul(arguments[i + 1], NULL, 10));
        }
        if (run != NULL) {
            run(arena);
        }
    }
    free(kept);
    free(arena);
    return 0;
}
