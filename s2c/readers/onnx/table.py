"""READERS: every ONNX op that becomes source ops, and those that no net of fixed shape can have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from s2c.readers.onnx.activations import ACTIVATIONS
from s2c.readers.onnx.casts import CASTS
from s2c.readers.onnx.control import CONTROL
from s2c.readers.onnx.convolution import CONVOLUTION
from s2c.readers.onnx.dense import DENSE
from s2c.readers.onnx.einsum import EINSUM
from s2c.readers.onnx.elementwise import ELEMENTWISE
from s2c.readers.onnx.index import INDEX
from s2c.readers.onnx.layers import LAYERS
from s2c.readers.onnx.movement import MOVEMENT
from s2c.readers.onnx.pads import PADS
from s2c.readers.onnx.quantized import QUANTIZED
from s2c.readers.onnx.reduction import REDUCTION
from s2c.readers.onnx.sequence import SEQUENCE
from s2c.readers.onnx.source import Reader

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        **ACTIVATIONS,
        **CASTS,
        **CONVOLUTION,
        **CONTROL,
        **DENSE,
        **EINSUM,
        **ELEMENTWISE,
        **INDEX,
        **MOVEMENT,
        **PADS,
        **QUANTIZED,
        **REDUCTION,
        **SEQUENCE,
        **LAYERS,
    }
)

# Ops that move quantized values without looking at them.
MOVES = frozenset(
    (
        "Concat",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "MaxPool",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    )
)

# Ops whose result has a known shape where their inputs are constants: these are evaluated.
OF_CONSTANTS = frozenset(("ConstantOfShape", "NonZero", "Range", "Unique"))

RANDOM = "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
STRINGS = "LabelEncoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"

# op_type -> what was wanted, what to do
REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            RANDOM.split(), ("a net without random numbers", "make the random tensor an input of the model")
        ),
        **dict.fromkeys(STRINGS.split(), ("a net without strings", "do it before the net")),
        "ImageDecoder": ("decoded images", "decode the image before the net"),
        "NonMaxSuppression": (
            "results of a fixed shape",
            "let the net end before it, and pick boxes outside of it",
        ),
    }
)
