"""ATen's scaled dot product attention."""

from __future__ import annotations

from collections.abc import Mapping

from s2c.layers.attention import attention
from s2c.readers.torch.source import Reader, Source, Value, as_node, given, has, node, refuse


def scaled_dot_product(source: Source) -> Value:
    """softmax(query @ key transposed * scale + mask) @ value; fewer heads of keys serve several queries."""
    if given(source, "dropout_p"):
        raise refuse(source, "attention without dropout", str(given(source, "dropout_p")), "set dropout_p=0")
    query, key, value = (node(source, name, "f32") for name in ("query", "key", "value"))
    mask = as_node(source.layer, given(source, "attn_mask")) if has(source, "attn_mask") else None
    scale = given(source, "scale")
    causal = bool(given(source, "is_causal"))
    factor = None if scale is None else float(scale)
    return attention(query, key, value, mask, causal, factor, source.layer, hidden=0.0)


ATTENTION: Mapping[str, Reader] = {"aten.scaled_dot_product_attention.default": scaled_dot_product}
