"""Takes taps out of convolutions that read nothing but padding, as those of large dilations do.

before:  %1 = conv2d(%0) dilation=(1, 64) pads=((0, 0), (128, 0)) weight=W   with %0 : f32[1,1,64,16]
after:   %1 = conv2d(%0) dilation=(1, 64) pads=((0, 0), (0, 0)) weight=W[:, :, 2:]

Valid because padding is zero, so that its products with finite weights are. Taps go from the ends only, while
the pads that go with them last.
"""

from __future__ import annotations

import numpy as np

from s2c.ir import Graph, Node, Uses


def trim_windows(graph: Graph) -> Graph:
    def rule(node: Node, _uses: Uses) -> Node | None:
        if node.op != "conv2d":
            return None
        weight = node.attrs["weight"]
        pads = list(node.attrs["pads"])
        for axis in (0, 1):
            before, after = ends_in_padding(node, axis)
            kept = np.arange(before, weight.shape[1 + axis] - after)
            weight = np.take(weight, kept, axis=1 + axis)
            dilation = node.attrs["dilation"][axis]
            pads[axis] = (pads[axis][0] - before * dilation, pads[axis][1] - after * dilation)
        if weight.shape == node.attrs["weight"].shape or not np.isfinite(node.attrs["weight"]).all():
            return None
        return node.with_attrs(weight=np.ascontiguousarray(weight), pads=tuple(pads))

    return graph.rewrite(rule)


def ends_in_padding(node: Node, axis: int) -> tuple[int, int]:
    """How many taps at the beginning and at the end of a spatial axis never meet the input."""
    extent, outputs = node.inputs[0].type.shape[1 + axis], node.type.shape[1 + axis]
    taps = node.attrs["weight"].shape[1 + axis]
    stride, dilation = node.attrs["stride"][axis], node.attrs["dilation"][axis]
    before, after = node.attrs["pads"][axis]
    first = [tap * dilation - before for tap in range(taps)]  # where each tap of the first output reads
    last = [each + (outputs - 1) * stride for each in first]
    leading = next((tap for tap in range(taps) if last[tap] >= 0), taps - 1)
    trailing = next((tap for tap in range(taps) if first[taps - 1 - tap] < extent), taps - 1)
    leading = min(leading, before // dilation)
    trailing = min(trailing, after // dilation, taps - 1 - leading)
    return leading, trailing
