"""READERS: every ATen op that is read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from s2c.readers.torch.activations import ACTIVATIONS
from s2c.readers.torch.attention import ATTENTION
from s2c.readers.torch.convolution import CONVOLUTION
from s2c.readers.torch.copies import COPIES
from s2c.readers.torch.dense import DENSE
from s2c.readers.torch.elementwise import ELEMENTWISE
from s2c.readers.torch.index import INDEX
from s2c.readers.torch.logic import LOGIC
from s2c.readers.torch.movement import MOVEMENT
from s2c.readers.torch.norm import NORM
from s2c.readers.torch.order import ORDER
from s2c.readers.torch.recurrent import RECURRENT
from s2c.readers.torch.reduction import REDUCTION
from s2c.readers.torch.resize import RESIZE
from s2c.readers.torch.source import Reader

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        **ACTIVATIONS,
        **CONVOLUTION,
        **COPIES,
        **DENSE,
        **LOGIC,
        **ELEMENTWISE,
        **INDEX,
        **MOVEMENT,
        **NORM,
        **REDUCTION,
        **RESIZE,
        **RECURRENT,
        **ORDER,
        **ATTENTION,
    }
)
