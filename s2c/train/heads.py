"""What a net's outputs are: shares of classes, with the logits that they are made of, or plain numbers."""

from __future__ import annotations

import math

from s2c.ir import Graph, Node


def head_of(node: Node) -> Node | None:
    """What makes an output shares of classes: its softmax, also where a reshape keeps the rows; or of a
    single number its sigmoid, the share of the second of two classes."""
    single = node.type.size == 1
    while node.op == "reshape" and (single or node.type.shape[-1:] == node.inputs[0].type.shape[-1:]):
        node = node.inputs[0]
    is_sigmoid = single and node.op == "unary" and node.attrs["function"] == "sigmoid"
    return node if is_sigmoid or node.op == "softmax" else None


def logits_of(node: Node) -> Node | None:
    """What the head of an output reads."""
    head = head_of(node)
    return None if head is None else head.inputs[0]


def is_softmax(node: Node) -> bool:
    head = head_of(node)
    return head is not None and head.op == "softmax"


def is_binary(node: Node) -> bool:
    """Whether an output is one number that tells two classes apart."""
    head = head_of(node)
    return head is not None and head.op != "softmax"


def classes_of(graph: Graph) -> int:
    """How many classes the net can tell apart, 0 for a net that gives no single row of scores."""
    node = graph.outputs[0]
    shape = node.type.shape
    if len(graph.outputs) == 1 and is_binary(node):
        return 2
    is_row = len(graph.outputs) == 1 and len(shape) > 0 and math.prod(shape) == shape[-1]
    return shape[-1] if is_row and shape[-1] > 1 else 0
