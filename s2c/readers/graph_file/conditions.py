"""What must hold between the attrs and types of a node beyond what its op infers, so that whatever reads a
Graph can rely on it. Each raises Malformed; what does not even have the ranks raises what numpy does."""

from __future__ import annotations

import math

import numpy as np

from s2c.ir import DTYPES, Node, Type
from s2c.ops.cast import STEPS
from s2c.ops.clamp import bounds
from s2c.ops.core import MOST_AXES
from s2c.ops.core import ROUNDINGS as QUANTIZES
from s2c.ops.integer import scale_of
from s2c.ops.pooling import is_plain_average, pool_counts
from s2c.readers.graph_file.values import LEAST_SCALE, MOST_ELEMENTS, MOST_SCALE, need

MOST_TAPS = 1 << 18
MOST_INDICES = 1 << 24  # of a movement that needs an array of them


def nothing(node: Node) -> None:
    pass


def leaf(node: Node) -> None:
    found = node.attrs["value"]
    fits = found.shape == node.type.shape and found.dtype == node.type.numpy
    need(fits, f"a value of {node.type.dtype}{list(node.type.shape)}", f"{found.dtype}{list(found.shape)}")


def clamp(node: Node) -> None:
    lo, hi = bounds(node)
    need(lo <= hi, "a lo of at most hi", f"{lo} and {hi}")
    finite = [abs(each) for each in (lo, hi) if not math.isinf(each)]
    usable = node.type.quant is None or max(finite, default=0.0) <= MOST_SCALE
    need(usable, f"bounds of at most {MOST_SCALE:g}", max(finite, default=0.0))


def relu(node: Node) -> None:
    need(node.type.quant == node.inputs[0].type.quant, "one quantization of input and result", node.type)
    clamp(node)


# contractions


def contraction(node: Node) -> None:
    """weight [outputs, ..] and bias [outputs] of the input's kind, with scales where it is quantized."""
    weight, bias = node.attrs["weight"], node.attrs["bias"]
    source = node.inputs[0].type.dtype
    need(weight.dtype == DTYPES[source], f"weights of {source}", weight.dtype)
    wanted = "f32" if source == "f32" else "i32"
    need(bias.dtype == DTYPES[wanted], f"biases of {wanted}", bias.dtype)
    need(len(bias) == len(weight), f"{len(weight)} biases", len(bias))
    scale = node.attrs.get("weight_scale")
    need(source == "f32" or scale is not None, "a weight_scale", "none")
    if scale is not None:
        need(len(scale) in (1, len(weight)), f"one weight_scale or {len(weight)}", len(scale))
        usable = bool(((scale >= LEAST_SCALE) & (scale <= MOST_SCALE)).all())
        need(usable, f"weight_scale of {LEAST_SCALE:g} to {MOST_SCALE:g}", "others")
    clamp(node)


def conv2d(node: Node) -> None:
    contraction(node)
    image(node, node.attrs["weight"].shape[1:3])


def matmul(node: Node) -> None:
    attrs = node.attrs
    groups, columns, _ = attrs["weight"].shape
    dtype = node.inputs[0].type.dtype
    weights, biases = {"f32": ("f32", "f32"), "i8": ("i8", "i32"), "i16": ("i8", "i64")}[dtype]
    need(attrs["weight"].dtype == DTYPES[weights], f"weights of {weights}", attrs["weight"].dtype)
    need(attrs["bias"].dtype == DTYPES[biases], f"biases of {biases}", attrs["bias"].dtype)
    need(len(attrs["bias"]) == groups * columns, f"{groups * columns} biases", len(attrs["bias"]))
    clamp(node)
    scaling = {"f32": (), "i8": ("multiplier", "shift"), "i16": ("multiplier", "fraction", "shift")}[dtype]
    for name in scaling:
        need(name in attrs, f"{name}, as the result is quantized", "none")
    lengths = {len(attrs[name]) for name in scaling}
    fits = not scaling or lengths in ({1}, {groups * columns})
    need(fits, f"as many multipliers as shifts: one or {groups * columns}", str(sorted(lengths)))
    for name in ("multiplier", "fraction"):
        need(name not in attrs or int(attrs[name].min()) >= 0, f"{name} of at least 0", "others")
    need("shift" not in attrs or int(attrs["shift"].min()) >= -31, "shifts of at least -31", "others")


def batchnorm(node: Node) -> None:
    channels = node.type.shape[-1]
    lengths = [len(node.attrs["scale"]), len(node.attrs["shift"])]
    need(lengths == [channels, channels], f"scale and shift of {channels} channels", str(lengths))


# windows and pools


def image(node: Node, kernel: tuple[int, int]) -> None:
    """Patches of a padded image that memory can hold."""
    batch, height, width, channels = node.inputs[0].type.shape
    (top, bottom), (left, right) = node.attrs["pads"]
    size = batch * (height + top + bottom) * (width + left + right) * channels
    need(size <= MOST_ELEMENTS, f"a padded image of at most {MOST_ELEMENTS} elements", size)
    need(math.prod(kernel) <= MOST_TAPS, f"a kernel of at most {MOST_TAPS} taps", str(kernel))


def window(node: Node) -> None:
    groups, channels = node.attrs["groups"], node.inputs[0].type.shape[3]
    need(channels % groups == 0, f"groups that divide {channels} channels", groups)
    image(node, node.attrs["kernel"])
    fill(node.type, node.attrs["value"])


def max_pool(node: Node) -> None:
    image(node, node.attrs["kernel"])
    need(node.type.quant == node.inputs[0].type.quant, "one quantization of input and result", node.type)


def average_pool(node: Node) -> None:
    image(node, node.attrs["kernel"])
    clamp(node)
    divisor = pool_counts(node)[1]
    need(int(divisor.min()) > 0, "values under each place of the kernel", "padding alone")
    if node.type.dtype == "i16":
        plain = is_plain_average(node) and node.type.quant is not None and node.type.quant.zero == 0
        need(plain, "an int16 average of one quantization with the zero point 0", node.type)


def largest(node: Node) -> None:
    need(
        node.inputs[0].type.shape[-1] % node.attrs["size"] == 0,
        "a size that divides the last axis",
        node.type,
    )


# elementwise


def mapping(node: Node) -> None:
    """A table on int8, a function on floats."""
    source, table, function = node.inputs[0].type, node.attrs.get("table"), node.attrs.get("function")
    need((table is None) != (function is None), "a table or a function", "both or neither")
    if table is None:
        need(source.dtype == "f32", "a table, as the input is int8", function)
        need(function not in QUANTIZES or node.type.quant is not None, "a quantized result", node.type)
    else:
        need(source.dtype == "i8", "a function, as the input is f32", "a table")
        need(len(table) == 256, "a table of 256 values", len(table))


def requantize(node: Node) -> None:
    clamp(node)
    ratio = node.attrs.get("ratio", 1.0)
    need(0 <= ratio <= MOST_SCALE * MOST_SCALE, f"a ratio of 0 to {MOST_SCALE * MOST_SCALE:g}", ratio)


def leaky_relu(node: Node) -> None:
    if node.type.dtype != "i8":
        return
    alpha = abs(node.attrs["alpha"])
    factor = scale_of(node.inputs[0].type) * max(alpha, 1.0) / scale_of(node.type)
    most = MOST_SCALE * MOST_SCALE
    need(max(alpha, factor) <= most, f"an alpha that scales by at most {most:g}", factor)


def prelu(node: Node) -> None:
    alpha = node.attrs["alpha"].shape
    fits = np.broadcast_shapes(alpha, node.type.shape) == node.type.shape
    need(fits, f"an alpha that broadcasts to {node.type}", str(alpha))


def softmax(node: Node) -> None:
    need(len(node.type.shape) > 0, "an axis", node.type)


def binary(node: Node) -> None:
    is_bool = node.inputs[0].type.dtype == "bool"
    need(not (is_bool and node.attrs["function"] == "sub"), "numbers to subtract", node.inputs[0].type)


def select(node: Node) -> None:
    for each in node.inputs:
        fits = each.type.size in (1, node.type.size)
        need(fits, f"operands of one element or {node.type.size}", each.type)


def convert(node: Node) -> None:
    known = STEPS.get(node.inputs[0].type.dtype, ())
    need(
        node.attrs["dtype"] in known, f"a dtype that takes one step: {', '.join(known)}", node.attrs["dtype"]
    )


def rescale(node: Node) -> None:
    attrs = node.attrs
    count, last = len(attrs["shift"]), node.type.shape[-1:]
    need(len(attrs["multiplier"]) == count, f"{count} multipliers", len(attrs["multiplier"]))
    need((count,) in ((1,), last), f"one shift, or one for each of {list(last)}", count)
    need(
        int(attrs["multiplier"].min()) >= 0 and int(attrs["shift"].min()) >= -31, "shifts from -31", "others"
    )
    limits = np.iinfo(DTYPES[attrs["dtype"]])
    inside = limits.min <= attrs["lo"] <= attrs["hi"] <= limits.max
    need(inside, f"lo and hi of {attrs['dtype']}", f"{attrs['lo']} and {attrs['hi']}")
    narrow = node.inputs[0].type.dtype == "i64" or attrs["bound"] < 1 << 31
    need(narrow, "a bound below 2147483648", attrs["bound"])


# movement


def movement(node: Node) -> None:
    """What moves along more axes than a kernel has, or repeats, may need an index for each element."""
    small = node.type.size <= MOST_INDICES
    few = len(node.type.shape) <= MOST_AXES and node.op != "tile"
    need(small or few, f"at most {MOST_INDICES} elements, of which each needs an index", node.type)
    if node.op == "slice":
        need(0 not in node.attrs["steps"], "steps other than 0", str(node.attrs["steps"]))


def fill(kind: Type, value: float) -> None:
    """A number that an element of the type can hold."""
    if kind.numpy.kind == "f":
        return
    limits = (0, 1) if kind.dtype == "bool" else (np.iinfo(kind.numpy).min, np.iinfo(kind.numpy).max)
    is_stored = math.isfinite(value) and limits[0] <= value <= limits[1] and value == int(value)
    need(is_stored, f"a value that {kind.dtype} holds", value)


def pad(node: Node) -> None:
    movement(node)
    fill(node.type, node.attrs["value"])


def region(node: Node, source: Type) -> None:
    attrs = node.attrs
    extents = attrs["extents"]
    need(1 <= len(extents) <= MOST_AXES, f"1 to {MOST_AXES} extents", len(extents))
    need(math.prod(extents) <= MOST_ELEMENTS, f"a region of at most {MOST_ELEMENTS} elements", str(extents))
    for name, size in (("source", source.size), ("target", node.type.size)):
        strides = attrs[f"{name}_strides"]
        reach = [(extent - 1) * each for extent, each in zip(extents, strides, strict=True)]
        first = attrs[f"{name}_offset"] + sum(min(each, 0) for each in reach)
        last = attrs[f"{name}_offset"] + sum(max(each, 0) for each in reach)
        need(
            first >= 0 and last < size,
            f"a region inside the {size} elements of the {name}",
            f"{first} to {last}",
        )


def gather(node: Node) -> None:
    region(node, node.inputs[0].type)
    fill(node.type, node.attrs["value"])


def insert(node: Node) -> None:
    base, source = (each.type for each in node.inputs)
    need(base.dtype == source.dtype, f"a source of {base.dtype}", source)
    region(node, source)


def take(node: Node) -> None:
    attrs = node.attrs
    index = attrs["index"]
    inside = int(index.min()) >= -1 and int(index.max()) < attrs["source"]
    need(inside, f"indices of -1 to {attrs['source'] - 1}", f"{index.min()} to {index.max()}")
    size = attrs["outer"] * len(index) * attrs["inner"]
    need(size == node.type.size, f"a shape of {size} elements", node.type)
    fill(node.type, attrs["value"])


def lookup(node: Node) -> None:
    need(node.attrs["table"].ndim > 0, "a table of rows", "a number")


def fold(node: Node) -> None:
    attrs = node.attrs
    size = attrs["outer"] * attrs["inner"]
    need(size == node.type.size, f"a shape of {size} elements", node.type)
