"""Plan -> a Rust module: the C functions as extern declarations, and a safe struct that owns the arena."""

from __future__ import annotations

from s2c.emit.text import CTYPES, comment_text, format_float
from s2c.ir import Node
from s2c.library import ALIGNMENT
from s2c.plan import Plan

RUST_TYPES = {
    "float": "f32",
    "int8_t": "i8",
    "uint8_t": "u8",
    "int16_t": "i16",
    "uint16_t": "u16",
    "int32_t": "i32",
    "uint32_t": "u32",
    "int64_t": "i64",
    "uint64_t": "u64",
}


def emit_rust(plan: Plan, name: str, title: str, checks_processor: bool = False) -> str:
    """<name>.rs, a module without dependencies; where there is an operating system, std gives it a heap.
    checks_processor: with Net::supported.
    """
    tensors = [
        ("input", index, node, node.layer, offset)
        for index, (node, offset) in enumerate(zip(plan.graph.inputs, plan.inputs, strict=True))
    ]
    outputs = zip(plan.graph.outputs, plan.graph.output_names, plan.outputs, strict=True)
    tensors += [("output", index, *each) for index, each in enumerate(outputs)]
    functions = [f"{name}_run", *([f"{name}_reset"] if plan.states else ())]
    supported = [f"    pub fn {name}_supported() -> i32;"] if checks_processor else []
    sections = [
        f"// {title}; for Rust 1.82 and later, edition 2018 and later.\n// Link what is built from {name}.c.",
        "#![allow(dead_code)]\n\nuse core::ffi::c_void;",
        "\n".join(
            (
                "/// Bytes of the arena, which is all the memory of the net but its stack.",
                f"pub const ARENA_BYTES: usize = {plan.arena_bytes};",
                *(line for role, index, node, _, _ in tensors for line in constants(role, index, node)),
            )
        ),
        "\n".join(
            (
                'unsafe extern "C" {',
                *(f"    pub fn {function}(arena: *mut c_void);" for function in functions),
                *supported,
                "}",
            )
        ),
        NET.format(alignment=ALIGNMENT),
        "impl Net {",
        indented(STATEFUL if plan.states else STATELESS),
        *([indented(SUPPORTED.format(name=name))] if checks_processor else ()),
        indented(CALL.format(what="Runs the net once.", method="run", function=f"{name}_run")),
    ]
    if plan.states:
        reset = CALL.format(what="Forgets all state.", method="reset", function=f"{name}_reset")
        sections.append(indented(reset))
    sections += [indented(accessor(*each)) for each in tensors]
    text = "\n\n".join(sections).replace("impl Net {\n\n", "impl Net {\n")
    return f"{text}\n}}\n\n{DEFAULT}"


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def constants(role: str, index: int, node: Node) -> list[str]:
    """Elements and quantization of an input or output."""
    upper = f"{role}_{index}".upper()
    lines = [f"pub const {upper}_SIZE: usize = {node.type.size};"]
    if node.type.quant is not None:
        lines.append(f"pub const {upper}_SCALE: f32 = {format_float(node.type.quant.scale[0]).rstrip('F')};")
        lines.append(f"pub const {upper}_ZERO: i32 = {node.type.quant.zero};")
    return lines


def accessor(role: str, index: int, node: Node, layer: str, offset: int) -> str:
    """A reference to the elements where they lie. The arena starts as zeros and every bit pattern is a value
    of these types, so reading is safe at any time; offset is a multiple of the element's size.
    """
    shape = " x ".join(map(str, node.type.shape)) or "scalar"
    ctype = RUST_TYPES[CTYPES[node.type.numpy.name]]
    array = f"[{ctype}; {role.upper()}_{index}_SIZE]"
    borrow, pointer = ("&mut ", "as_mut_ptr") if role == "input" else ("&", "as_ptr")
    return (
        f"/// {role.capitalize()} {index}: {comment_text(layer)}, {shape}.\n"
        f"pub fn {role}_{index}({borrow}self) -> {borrow}{array} {{\n"
        f"    unsafe {{ {borrow}*self.arena.{pointer}().add({offset}).cast::<{array}>() }}\n"
        "}"
    )


NET = """/// The net in an arena of its own, which holds its inputs and outputs: write all inputs before each
/// run, and read the outputs before the next.
#[repr(C, align({alignment}))]
pub struct Net {{
    arena: [u8; ARENA_BYTES],
}}"""

BOXED = """
/// On the heap, where the arena of a large net belongs.
#[cfg(not(target_os = "none"))]
pub fn boxed() -> std::boxed::Box<Self> {{
    let layout = core::alloc::Layout::new::<Self>();
    unsafe {{
        let memory = std::alloc::alloc_zeroed(layout).cast::<Self>();
        if memory.is_null() {{
            std::alloc::handle_alloc_error(layout);
        }}
        {result}
    }}
}}"""

STATELESS = """pub const fn new() -> Self {
    Self { arena: [0; ARENA_BYTES] }
}
""" + BOXED.format(result="std::boxed::Box::from_raw(memory)")

STATEFUL = """pub fn new() -> Self {
    let mut net = Self { arena: [0; ARENA_BYTES] };
    net.reset();
    net
}
""" + BOXED.format(
    result="let mut net = std::boxed::Box::from_raw(memory);\n        net.reset();\n        net"
)

SUPPORTED = """/// Whether this processor has the instructions that the net needs: ask before the first run.
pub fn supported() -> bool {{
    unsafe {{ {name}_supported() != 0 }}
}}"""

CALL = """/// {what}
pub fn {method}(&mut self) {{
    unsafe {{ {function}(self.arena.as_mut_ptr().cast()) }}
}}"""

DEFAULT = """impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}
"""
