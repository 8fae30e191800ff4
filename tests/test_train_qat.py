"""Training in int8: it makes up for what rounding and clipping cost, equally for equal seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from graphs import raises

torch = pytest.importorskip("torch")

from quantized import check_module, narrowed, samples_of, small_net  # noqa: E402

from s2c.train.qat import train_quantized  # noqa: E402
from s2c.train.quantization import judged  # noqa: E402
from s2c.train.retrain import Training  # noqa: E402

torch.set_num_threads(1)


def test_training_makes_up_for_what_is_clipped() -> None:
    graph = small_net()
    samples = samples_of(graph, 256)
    scheme = narrowed(graph, samples)
    before = judged(scheme, scheme.graph, samples)
    after, history = train_quantized(before, graph, samples, Training(epochs=20, batch=32))
    assert after.snr_db > before.snr_db + 3 and history.best > 0
    check_module(after, samples)
    types = [[str(node.type) for node in each.graph.nodes()] for each in (before, after)]
    assert types[0] == types[1]


def test_training_is_repeatable() -> None:
    graph = small_net()
    samples = samples_of(graph, 64)
    scheme = narrowed(graph, samples)
    start = judged(scheme, scheme.graph, samples)
    runs = [train_quantized(start, graph, samples, Training(epochs=2, batch=32))[0] for _ in range(2)]
    assert str(runs[0].graph) == str(runs[1].graph)
    assert str(runs[0].graph) != str(start.graph)


def test_a_checkpoint_of_other_ranges_is_not_gone_on_with(tmp_path: Path) -> None:
    graph, path = small_net(), tmp_path / "checkpoint"
    samples, flags = samples_of(graph, 64), Training(epochs=1, batch=32)
    scheme = narrowed(graph, samples)
    node = next(each for each in scheme.quants if each.op == "conv2d")
    moved = replace(scheme.quants[node], zero=scheme.quants[node].zero + 1)
    other = replace(scheme, quants={**scheme.quants, node: moved})
    starts = [judged(each, scheme.graph, samples) for each in (scheme, other)]
    train_quantized(starts[0], graph, samples, flags, path)
    left = path.read_bytes()
    message = (
        f"{path}: wanted a checkpoint of this model, data and flags, found one of others; "
        "delete it to start anew, or name another file"
    )
    assert raises(lambda: train_quantized(starts[1], graph, samples, flags, path)) == message
    assert path.read_bytes() == left
    resumed, _ = train_quantized(starts[1], graph, samples, flags, path, anew=True)
    fresh, _ = train_quantized(starts[1], graph, samples, flags)
    assert str(resumed.graph) == str(fresh.graph) and path.read_bytes() != left
