/* QEMU's TCG plugin: executed blocks -> one line of counts for each inference. Host code. */
#include "count.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The part of qemu-plugin.h (plugin API version 1) that is used here: distributions do not package the header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned vcpu, void *user);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_vcpu_udata_cb_t callback,
                                          enum qemu_plugin_cb_flags flags, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int arguments_count, char **arguments);

struct s2c_block {
    uint32_t address;
    uint32_t instructions;
    uint32_t function;
};

enum { FUNCTIONS_MAX = 65536 };

static struct s2c_count count;
static uint32_t function_starts[FUNCTIONS_MAX], function_ends[FUNCTIONS_MAX];
static FILE *report;

static void write_counts(void)
{
    (void)fprintf(report, "%llu %u", (unsigned long long)count.instructions, count.calls);
    for (uint32_t i = 0; i < count.calls && i < S2C_CALLS_MAX; i++) {
        (void)fprintf(report, " %llu", (unsigned long long)count.entries[i]);
    }
    (void)fputc('\n', report);
    (void)fflush(report);
}

static void run_block(unsigned vcpu, void *user)
{
    (void)vcpu;
    const struct s2c_block *block = user;
    s2c_count_block(&count, block->address, block->instructions, block->function);
    if (count.overrun != 0u) {
        (void)fprintf(stderr, "more than %llu instructions without an end\n",
                      (unsigned long long)count.limit);
        _exit(1);
    }
    if (block->address == count.stop) {
        write_counts();
    }
}

/* A block is kept for QEMU's whole life: it may run as long as its translation lives. */
static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    struct s2c_block *block = malloc(sizeof(*block));
    if (block == NULL) {
        abort();
    }
    block->address = (uint32_t)qemu_plugin_tb_vaddr(tb);
    block->instructions = (uint32_t)qemu_plugin_tb_n_insns(tb);
    block->function = s2c_function_at(&count, block->address);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

/* "start-end+start-end+..." */
static int parse_functions(const char *text)
{
    while (*text != '\0') {
        char *next;
        if (count.functions == FUNCTIONS_MAX) {
            return -1;
        }
        function_starts[count.functions] = (uint32_t)strtoul(text, &next, 0);
        if (*next != '-') {
            return -1;
        }
        function_ends[count.functions] = (uint32_t)strtoul(next + 1, &next, 0);
        count.functions++;
        text = *next == '+' ? next + 1 : next;
    }
    return 0;
}

static int parse(char *argument)
{
    char *value = strchr(argument, '=');
    if (value == NULL) {
        return -1;
    }
    *value++ = '\0';
    unsigned long long number = strtoull(value, NULL, 0);
    if (strcmp(argument, "functions") == 0) {
        return parse_functions(value);
    }
    if (strcmp(argument, "report") == 0) {
        report = fdopen((int)number, "w");
    } else if (strcmp(argument, "limit") == 0) {
        count.limit = number;
    } else if (strcmp(argument, "start") == 0) {
        count.start = (uint32_t)number;
    } else if (strcmp(argument, "stop") == 0) {
        count.stop = (uint32_t)number;
    } else if (strcmp(argument, "net_start") == 0) {
        count.net_start = (uint32_t)number;
    } else if (strcmp(argument, "net_end") == 0) {
        count.net_end = (uint32_t)number;
    } else {
        return -1;
    }
    return 0;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int arguments_count, char **arguments)
{
    (void)info;
    count.function_starts = function_starts;
    count.function_ends = function_ends;
    for (int i = 0; i < arguments_count; i++) {
        if (parse(arguments[i]) != 0) {
            (void)fprintf(stderr, "s2c plugin: bad argument %s\n", arguments[i]);
            return -1;
        }
    }
    if (report == NULL) {
        (void)fprintf(stderr, "s2c plugin: no report\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
