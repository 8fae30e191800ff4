"""What can be wrong with the flags that adapt a model: whole messages, before any file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s2c.adapt.recipe import Recipe, make_recipe, refuse_stop
from s2c.arguments import parse_latency, parse_list
from s2c.driver import make_request
from s2c.errors import CompileError

MODEL = Path("net.onnx")
DATA = {"data": "train.npz"}


def recipe(target: str = "host", **flags: Any) -> Recipe:
    return make_recipe(make_request(MODEL, target), **flags)


@pytest.mark.parametrize(
    ("target", "flags", "message"),
    [
        (
            "host",
            {"width": 1.5, **DATA},
            "--width: wanted a share above 0 and at most 1, found 1.5; e.g. 0.5",
        ),
        ("host", {"macs": 0.0, **DATA}, "--macs: wanted more than 0, found 0; give more"),
        ("host", {"macs": float("nan"), **DATA}, "--macs: wanted more than 0, found nan; give more"),
        (
            "cortex-m4",
            {"latency": "40us", **DATA},
            "--latency: wanted a target that runs here, found cortex-m4; "
            "give --instructions: an emulated target counts them",
        ),
        (
            "host",
            {"instructions": 5e6, **DATA},
            "--instructions: wanted an emulated target, found host; give --latency",
        ),
        (
            "host",
            {"latency": "40", **DATA},
            "--latency: wanted a time with its unit, found 40; e.g. --latency 40us or --latency 1.5ms",
        ),
        (
            "host",
            {"width": 0.5, "macs": 0.5, **DATA},
            "--macs: wanted one budget, found --width and --macs; leave one of them",
        ),
        (
            "host",
            {"width": 0.5, "importance": "size", **DATA},
            "--importance: wanted one of l1, l2, batchnorm, taylor, contribution, reconstruction, "
            "found size; name one of these",
        ),
        (
            "asic",
            {"instructions": 1000, **DATA},
            "--instructions: wanted an emulated target, found asic; give --macs or --width",
        ),
        (
            "host",
            {"width": 0.5},
            "--data: wanted data to retrain the pruned net with, found none; "
            "give the training data, or --epochs 0 to leave the pruned net untrained",
        ),
        ("host", {"epochs": 3}, "--data: wanted data to train with, found none; give the training data"),
        (
            "host",
            {"int8": True},
            "--int8: wanted inputs to find the tensors' ranges with, found none; "
            "give --calibration or --data: some hundred typical inputs",
        ),
        (
            "host",
            {"epochs": 3, "minutes": 0.0, **DATA},
            "--minutes: wanted more than 0, found 0; give the time to train",
        ),
        (
            "host",
            {"max_drop": 1.0, "keep_float": "conv"},
            "--max-drop: wanted a net to quantize, found no --int8; add --int8, or leave it out\n"
            "--keep-float: wanted a net to quantize, found no --int8; add --int8, or leave it out",
        ),
        (
            "host",
            {"test": "test.npz", "augment": "flip"},
            "--test: wanted a budget, --epochs or --int8, found none; "
            "add one, e.g. --width 0.5, or leave it out\n"
            "--augment: wanted a budget, --epochs or --int8, found none; "
            "add one, e.g. --width 0.5, or leave it out",
        ),
        (
            "host",
            {"width": 0.5, "epochs": 0, "importance": "taylor"},
            "--importance taylor: wanted data to measure it on, found none; "
            "give the training data, or --importance l2",
        ),
        (
            "host",
            {"int8": True, "epochs": 0, "max_drop": 1.0, **DATA},
            "--max-drop: wanted training, found --epochs 0; leave one of them out",
        ),
        (
            "host",
            {"int8": True, "augment": "flip", "minutes": 5.0, "importance": "l1", **DATA},
            "--minutes: wanted training, found --int8 alone; leave it out, or add --epochs or --max-drop\n"
            "--augment: wanted training, found --int8 alone; leave it out, or add --epochs or --max-drop\n"
            "--importance: wanted a budget, for which channels are chosen, found none; "
            "add one, e.g. --width 0.5, or leave it out",
        ),
        (
            "host",
            {"width": 0.5, "epochs": 0, "augment": "flip"},
            "--augment: wanted training, found --epochs 0; leave it out, or add --epochs or --max-drop",
        ),
        (
            "host",
            {"int8": True, "calibration": "some.npz", "task": "regression"},
            "--task: wanted data with a task, found no --data or --test; add it, or leave it out",
        ),
        (
            "host",
            {"int8": True, "max_drop": float("nan"), **DATA},
            "--max-drop: wanted a number of points, found nan; e.g. 0.5",
        ),
        (
            "host",
            {"width": 0.5, "seed": -1, "epochs": -2, **DATA},
            "--seed: wanted 0 or more, found -1; leave it out for the default\n"
            "--epochs: wanted 0 or more, found -2; leave it out for the default",
        ),
        (
            "host",
            {"int8": True, "calibration": "some.npz", "max_drop": 1.0},
            "--data: wanted data to train the quantized net with, found none; "
            "give the training data, or leave --max-drop out",
        ),
        (
            "host",
            {"widht": 0.5},
            "widht: wanted one of width, macs, latency, instructions, data, test, calibration, augment, "
            "keep_float, importance, task, epochs, minutes, seed, int8, max_drop, float_io, found "
            "another argument; correct the name",
        ),
    ],
)
def test_wrong_flags(target: str, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError) as raised:
        recipe(target, **flags)
    assert str(raised.value) == message


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2c.adapt.recipe.find_spec", lambda name: None)
    with pytest.raises(CompileError) as raised:
        recipe(width=0.5, epochs=0)
    assert str(raised.value) == (
        "torch: wanted torch, which prunes, trains and quantizes, found it is not installed; "
        "pip install 's2c[torch]'"
    )
    recipe()


def test_stopping_early_is_refused_for_what_is_adapted() -> None:
    with pytest.raises(CompileError) as raised:
        refuse_stop(recipe(width=0.5, epochs=0))
    assert str(raised.value) == (
        "--stop-after: wanted a model that is compiled as it is, found flags that adapt it; "
        "compile into a folder, then --stop-after on the .s2c file in it"
    )
    refuse_stop(recipe())


def test_a_recipe_takes_one_path_or_several() -> None:
    one, two = recipe(width=0.5, data="a.npz"), recipe(width=0.5, data=["a.npz", Path("b.npz")])
    assert one.data == (Path("a.npz"),)
    assert two.data == (Path("a.npz"), Path("b.npz"))
    assert recipe(data=None, width=None).is_empty


@pytest.mark.parametrize(
    ("text", "microseconds"), [("40us", 40.0), ("1.5ms", 1500.0), ("2s", 2e6), ("500ns", 0.5)]
)
def test_latencies(text: str, microseconds: float) -> None:
    assert parse_latency(text) == microseconds


def test_lists() -> None:
    assert parse_list("flip, shift,") == ("flip", "shift")
    assert parse_list(None) == ()


def test_the_default_importance_is_part_of_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run that an older s2c began would go on with channels chosen otherwise."""
    model = tmp_path / "net.tflite"
    model.write_bytes(b"net")
    request = make_request(model, "host")
    plain, named = (Recipe(request, ("width", 0.5), each) for each in (None, "taylor"))
    before = plain.digest(), named.digest()
    monkeypatch.setattr("s2c.adapt.recipe.DEFAULT_METHOD", "l1")
    assert plain.digest() != before[0]
    assert named.digest() == before[1]
