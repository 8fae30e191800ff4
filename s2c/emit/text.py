"""Names and numbers as C text; nothing from a model reaches the source but through here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from s2c.errors import error

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")
UNSAFE = re.compile(r"[^A-Za-z0-9 _.:;,/()\[\]+=<>-]")
LONGEST_COMMENT = 80
WIDTH = 110  # of a line
ROW = 16
ROW_BYTES = 4092  # of a string: C99 (5.2.4.1) promises 4095 characters, and 4092 are whole elements
INT64_MIN = "(-9223372036854775807 - 1)"  # C has no negative literals
# By the name of numpy's dtype.
CTYPES: Mapping[str, str] = {
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "uint64": "uint64_t",
    "bool": "uint8_t",
    "float16": "uint16_t",
}
# Keywords of C and C++, standard headers, which <name>.h would hide, and what CMake wants for itself.
RESERVED = frozenset(
    (
        "auto break case char const continue default do double else enum extern float for goto if inline int "
        "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
        "volatile while main asm bool class namespace new private public template this assert complex ctype "
        "errno features fenv inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic "
        "stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype all "
        "all_build clean depend edit_cache help install package package_source preinstall rebuild_cache "
        "run_tests s2c test zero_check"
    ).split()
)


def comment_text(text: str) -> str:
    """A layer's name for a block comment: no asterisk, backslash or control character survives."""
    short = text if len(text) <= LONGEST_COMMENT else text[: LONGEST_COMMENT - 3] + "..."
    return UNSAFE.sub("_", short)


def identifier(name: str | None, model: Path | None) -> str:
    """The prefix of every symbol: the user's --name as it is, else the model's file name made into one."""
    if name is not None:
        if not IDENTIFIER.match(name) or name.lower() in RESERVED or name.startswith(("_", "s2c_")):
            raise error(
                "--name",
                "a C identifier of at most 40 letters, digits and underscores that no language or "
                "tool reserves",
                repr(name),
                "choose another, such as my_net",
            )
        return name
    stem = re.sub(r"[^A-Za-z0-9]+", "_", model.stem if model else "net").strip("_").lower()[:40]
    if not stem or stem[0].isdigit() or stem in RESERVED or stem.startswith("s2c_"):
        stem = f"net_{stem}"[:40]
    return stem.rstrip("_")


def format_float(value: float) -> str:
    """A C literal that reads back as the same float32."""
    if math.isnan(value):
        return "S2C_NAN"
    if math.isinf(value):
        return "S2C_INFINITY" if value > 0 else "-S2C_INFINITY"
    return f"{np.float32(value):.9g}F" if re.search(r"[.e]", f"{np.float32(value):.9g}") else f"{value:.1f}F"


def format_array(array: np.ndarray) -> str:
    """Rows of literals, without the braces."""
    flat = array.reshape(-1)
    if array.dtype == np.float16:
        flat = flat.view(np.uint16)
    values = flat.tolist()
    if flat.dtype == np.uint64:
        return join_rows("%dU", values)
    if flat.dtype == np.int64:
        return join_rows("%s", [INT64_MIN if each == -(1 << 63) else str(each) for each in values])
    if flat.dtype != np.float32:
        return join_rows("%d", values)
    if not np.isfinite(flat).all():
        return join_rows("%s", [format_float(each) for each in values])
    return join_rows("%.8eF", values)


def join_rows(form: str, values: list[float] | list[str] | list[int]) -> str:
    """One formatting operation for the whole array: nets have millions of weights."""
    row = ", ".join([form] * ROW)
    whole, rest = divmod(len(values), ROW)
    rows = [row] * whole + ([", ".join([form] * rest)] if rest else [])
    return ("    " + ",\n    ".join(rows)) % tuple(values)


def format_strings(array: np.ndarray) -> Iterator[str]:
    """The array's bytes, little-endian, as string literals of ROW_BYTES each; the last has what is left.

    A compiler reads a string some twenty times as fast as the same bytes in numbers.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    flat = np.frombuffer(np.ascontiguousarray(little).tobytes(), np.uint8)
    table = spellings()
    for start in range(0, flat.size, ROW_BYTES):
        row = flat[start : start + ROW_BYTES]
        index = row.astype(np.intp)
        index[:-1][row[1:] & 0xF8 == ord("0")] += 256  # "0" to "7" follows
        yield '"' + table.take(index).tobytes().translate(None, b"\0").decode("ascii") + '"'


@cache
def spellings() -> np.ndarray:
    """How each byte is written in a string literal, in up to four characters; then how it is where an octal
    digit follows, which a shorter escape would take for its own.
    """
    return np.array([spell(byte, digits) for digits in (1, 3) for byte in range(256)])


def spell(byte: int, digits: int) -> bytes:
    character = chr(byte)
    if character in '"\\?':  # of two question marks, C makes a trigraph
        return f"\\{character}".encode()
    return character.encode() if " " <= character <= "~" else f"\\{byte:0{digits}o}".encode()


def wrap(head: str, items: Sequence[str], tail: str) -> str:
    """head, comma-separated items and tail, broken into lines that align under the first item."""
    lines = [head]
    for index, item in enumerate(items):
        text = item + ("," if index + 1 < len(items) else tail)
        if len(lines[-1]) + len(text) + 1 > WIDTH and lines[-1].strip():
            lines.append(" " * len(head) + text)
        else:
            lines[-1] += text if lines[-1].endswith("(") or not lines[-1].strip() else " " + text
    return "\n".join(lines)
