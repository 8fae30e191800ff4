"""Where a call of an exported program comes from: the module, and the line of Python."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import fx

TORCH_FOLDER = str(Path(torch.__file__).parent)
OWN_FOLDER = str(Path(__file__).parents[2])
FRAME = re.compile(r'File "([^"]+)", line (\d+)[^\n]*(?:\n    ([^\n]+))?')
ROOT = re.compile(r"^L\[[^\]]*\]\.?")  # what TorchDynamo calls the module that it compiles


def layer_of(node: fx.Node) -> str:
    """The path of the module that makes the call; the call's own name goes behind that of a module which is
    not one of torch.nn, as it makes several."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    name = ROOT.sub("", str(path))
    module = kind if isinstance(kind, str) else kind.__module__
    if name and str(module).startswith("torch.nn."):
        return name
    return f"{name}.{node.name}" if name else node.name


def line_of(node: fx.Node) -> str:
    """Where the user's code makes the call, and the code if it is known; nothing where torch's alone does."""
    frames = FRAME.findall(node.meta.get("stack_trace") or "")
    own = [each for each in frames if not is_foreign(each[0])]
    if not own:
        return ""
    file, line, code = own[-1]
    return f" at {Path(file).name}:{line}" + (f" ({code.strip()})" if code else "")


def is_foreign(file: str) -> bool:
    """Whether a file belongs to torch, here or where the program was exported, or to s2c."""
    return file.startswith((TORCH_FOLDER, OWN_FOLDER)) or "/site-packages/torch/" in file
