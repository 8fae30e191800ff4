"""Hand-written C in place of a net: what a compiler's output must never do, and what it may, one function
each.
"""

from __future__ import annotations

from pathlib import Path

from s2c.build import Image, build
from s2c.target import Target

ARENA_BYTES = 64
INPUT_BYTES = 16
OUTPUT_BYTES = 4

HEADER = "void small_run(void *arena);\nvoid small_reset(void *arena);\n"

NET_HEADER = f"""\
#include "small.h"
#define S2C_RUN small_run
#define S2C_RESET small_reset
#define S2C_ARENA_BYTES {ARENA_BYTES}
#define S2C_ARENA_ALIGNMENT 16
#define S2C_INPUTS {{{{0u, 4u}}, {{16u, {INPUT_BYTES - 4}u}}}}
#define S2C_OUTPUTS {{{{32u, {OUTPUT_BYTES}u}}}}
"""

# The first input selects the case, the second holds its data.
CASES = (
    "nothing",
    "chain",
    "deep",
    "very_deep",
    "aligned",
    "branch",
    "table",
    "divide",
    "root",
    "loop_first",
    "tail",
    "recursion",
    "pointer",
    "copy",
    "counted",
    "fault",
    "endless",
)

SOURCE = """\
#include "small.h"
#define NOINLINE __attribute__((noinline))
void *memcpy(void *to, const void *from, unsigned long bytes);

/* External: gcc renames a static function when it drops an argument. */
CASES

static const int weights[5] = {3, 1, 4, 1, 5};

NOINLINE int nothing(const unsigned char *in) { return in[0]; }

NOINLINE int chain_inner(const unsigned char *in) {
  volatile int kept[10];
  kept[0] = in[0];
  kept[9] = in[1];
  return kept[0] + kept[9];
}
NOINLINE int chain_middle(const unsigned char *in) {
  volatile int kept[20];
  kept[0] = chain_inner(in);
  kept[19] = chain_inner(in + 1);
  return kept[0] * kept[19];
}
NOINLINE int chain(const unsigned char *in) {
  int first = chain_middle(in);
  return first * weights[in[0] % 4] + chain_middle(in + 2);
}

NOINLINE int deep(const unsigned char *in) {
  volatile unsigned char kept[3000];
  for (int i = 0; i < 3000; i++) {
    kept[i] = in[i & 7];
  }
  return kept[7] + kept[2999];
}

NOINLINE int very_deep(const unsigned char *in) {
  volatile unsigned char kept[12345];
  for (int i = 0; i < 12345; i++) {
    kept[i] = in[i & 7];
  }
  return kept[7] + kept[12344];
}

NOINLINE int aligned(const unsigned char *in) {
  volatile unsigned char kept[64] __attribute__((aligned(64)));
  for (int i = 0; i < 64; i++) {
    kept[i] = in[i & 7];
  }
  return kept[9];
}

NOINLINE int branch(const unsigned char *in) {
  volatile int sum = 0;
  for (int i = 0; i < 8; i++) {
    if (in[i] > 100) {
      sum += in[i];
    }
  }
  return sum;
}

NOINLINE int table(const unsigned char *in) {
  volatile int result = 0;
  switch (in[0]) {
  case 0: result = 5; break;
  case 1: result += in[1]; break;
  case 2: result = in[2] * 7; break;
  case 3: result = in[3] - 9; break;
  case 4: result += 77; break;
  case 5: result = in[1] ^ in[2]; break;
  case 6: result -= in[3]; break;
  default: break;
  }
  return result;
}

NOINLINE int divide(const unsigned char *in) { return 1000 / (1 + in[0]); }

NOINLINE int root(const unsigned char *in) {
  float value = (float)in[0];
  return (int)(100.0f / (value + 1.5f));
}

NOINLINE int loop_first(const volatile unsigned char *in) {
  while (*in++ != 0) {
  }
  return 0;
}

NOINLINE int tail(const unsigned char *in) { return chain_inner(in + 1); }

NOINLINE int recursion(const unsigned char *in) {
  volatile int kept = in[0];
  return in[0] == 0 ? kept : kept + recursion(in + 1);
}

NOINLINE int pointer(const unsigned char *in) {
  int (*volatile chosen)(const unsigned char *) = nothing;
  return chosen(in) + 1;
}

NOINLINE int copy(const unsigned char *in) {
  unsigned char kept[8];
#ifdef WITHOUT_MEMCPY
  kept[0] = in[0];
#else
  memcpy(kept, in, in[0] & 7u);
#endif
  return ((volatile unsigned char *)kept)[0];
}

static int runs;
NOINLINE int counted(void) { return ++runs; }

/* No target has memory at the top of the address space. */
NOINLINE int fault(void) { return *(volatile int *)(~0ul << 6); }

NOINLINE int endless(void) {
  volatile int again = 1;
  while (again) {
  }
  return 0;
}

void small_reset(void *arena) {
  (void)arena;
  runs = 100;
}

void small_run(void *arena) {
  const unsigned char *in = (unsigned char *)arena + 16;
  const unsigned char *selected = arena;
  int result = -1;
  switch (*selected) {
SWITCH
  default: break;
  }
  *(volatile int *)(void *)((unsigned char *)arena + 32) = result;
}
"""


def arguments(case: str) -> str:
    """The parameters of a case, as SOURCE has them."""
    return SOURCE.split(f"int {case}(")[1].split(")")[0]


def write_small(folder: Path) -> None:
    """The net's files and net.h, all in `folder`."""
    calls = [
        f"  case {number}: result = {case}({'' if arguments(case) == 'void' else 'in'}); break;"
        for number, case in enumerate(CASES)
    ]
    declared = [f"int {case}({arguments(case)});" for case in CASES]
    source = SOURCE.replace("SWITCH", "\n".join(calls)).replace("CASES", "\n".join(declared))
    (folder / "small.c").write_text(source)
    (folder / "small.h").write_text(HEADER)
    (folder / "net.h").write_text(NET_HEADER)


def build_small(target: Target, folder: Path, cc: str | None = None) -> Image:
    write_small(folder)
    return build(target, folder, "small", folder, cc)


def inputs(case: str, *data: int) -> bytes:
    """The raw inputs that select `case`."""
    return bytes([CASES.index(case), 0, 0, 0, *data]).ljust(INPUT_BYTES, b"\0")
