"""A JSON document to a strange one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from fuzz.damage import FLOATS, TEXTS, WIDE

VALUES = (*WIDE, *TEXTS, None, True, False, 0.5, [], {}, [[]], [1, 2], {"a": 1})

Container = dict[str, Any] | list[Any]
Pools = Sequence[Sequence[str]]  # words of one kind each, such as the names of layers


def change(source: Random, document: Any, pools: Pools, others: Sequence[Any] = ()) -> None:
    """One to eight places; others are values that may stand anywhere."""
    for _ in range(1 << source.randrange(4)):
        places = containers(document)
        if source.random() < 0.9:
            places = [each for each in places if not is_array(each)]
        if places:
            source.choice(CHANGES)(source, source.choice(places), places, pools, others)


def containers(document: Any) -> list[Container]:
    """Every object and list of a document that is not empty."""
    found: list[Container] = []
    pending = [document]
    while pending:
        each = pending.pop()
        if isinstance(each, dict | list) and each:
            found.append(each)
            pending += each.values() if isinstance(each, dict) else each
    return found


def is_array(container: Container) -> bool:
    """Whether a list is a row of weights, of which a net has far more than of anything else."""
    return isinstance(container, list) and all(isinstance(each, float) for each in container)


def keys(container: Container) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


def set_value(
    source: Random, container: Container, places: list[Container], pools: Pools, others: Sequence[Any]
) -> None:
    """Of about the same kind most often."""
    key = source.choice(keys(container))
    old = container[key]
    words = [pool for pool in pools if old in pool] if isinstance(old, str) else []
    if isinstance(old, bool):
        container[key] = not old
    elif isinstance(old, int):
        container[key] = source.choice((*range(-2, 9), *WIDE))
    elif isinstance(old, float):
        container[key] = source.choice(FLOATS)
    elif words and source.random() < 0.9:
        container[key] = source.choice(words[0])
    else:
        container[key] = copied(source.choice((*VALUES, *others)))


def copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def copy_value(
    source: Random, container: Container, places: list[Container], pools: Pools, others: Sequence[Any]
) -> None:
    """A value from a place of the same shape, such as another node's input."""
    key = source.choice(keys(container))
    same = [each for each in places if type(each) is type(container) and key in keys(each)]
    value = source.choice(same)[key]
    if not isinstance(value, dict | list):
        container[key] = value


def remove_value(
    source: Random, container: Container, places: list[Container], pools: Pools, others: Sequence[Any]
) -> None:
    del container[source.choice(keys(container))]


def repeat_value(
    source: Random, container: Container, places: list[Container], pools: Pools, others: Sequence[Any]
) -> None:
    if isinstance(container, list):
        container.insert(source.randrange(len(container) + 1), copied(source.choice(container)))


CHANGES = (set_value, set_value, set_value, copy_value, copy_value, remove_value, repeat_value)
