"""Data files: what fits a net, and what is refused with which words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import raises
from sample_nets import (
    LABELS,
    binary_counter,
    binary_net,
    counter,
    image_net,
    images,
    integer_net,
    same_net,
    two_inputs,
    two_outputs,
)

pytest.importorskip("torch")

from s2c.ir import Graph
from s2c.train import npz
from s2c.train.data import load_samples, make_samples


def stored(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


# what fits


def test_reads_images_and_labels(tmp_path: Path) -> None:
    x = images(dtype="u1")
    found = load_samples(
        stored(tmp_path / "a.npz", x=x, y=LABELS.astype("u1")), image_net(), every_class=True
    )
    assert found.task == "classification" and len(found) == 12
    assert found.inputs[0].dtype == np.uint8 and found.inputs[0].shape == (12, 1, 4, 5, 2)
    assert found.targets is not None and found.targets.dtype == np.int64
    np.testing.assert_array_equal(found.targets, LABELS)
    (batch,) = found.batch(np.array([3, 1]))
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch[:, 0], x[[3, 1]])
    part = found.part(slice(2, 5))
    assert part.targets is not None
    np.testing.assert_array_equal(part.targets, LABELS[2:5])
    np.testing.assert_array_equal(part.inputs[0], found.inputs[0][2:5])


@pytest.mark.parametrize("shape", [(12, 1, 4, 5, 2), (12, 4, 5, 2), (12, 4, 1, 5, 2)])
def test_axes_of_one_may_be_missing(shape: tuple[int, ...]) -> None:
    found = make_samples(image_net(), [images().reshape(shape)], LABELS[:, None])
    assert found.inputs[0].shape == (12, 1, 4, 5, 2) and found.task == "classification"


def test_joins_files(tmp_path: Path) -> None:
    first = stored(tmp_path / "a.npz", x=images(5, "u1"), y=LABELS[:5])
    second = stored(tmp_path / "b.npz", x=images(7, "f8"), y=LABELS[:7])
    found = load_samples([first, second], image_net())
    np.testing.assert_array_equal(found.inputs[0][:, 0], np.concatenate([images(5), images(7)]))
    assert len(found) == 12


def test_inputs_by_name_and_by_number(tmp_path: Path) -> None:
    a, b = np.ones((2, 3)), np.zeros((2, 3))
    found = load_samples(stored(tmp_path / "a.npz", x_0=a, b=b), two_inputs())
    assert found.task == "distillation" and found.targets is None
    np.testing.assert_array_equal(found.batch(slice(None))[0][:, 0], a)
    np.testing.assert_array_equal(found.batch(slice(None))[1][:, 0], b)


def test_targets_of_a_regression() -> None:
    found = make_samples(same_net(), [np.ones((6, 4))], np.ones((6, 4)) / 2)
    assert found.task == "regression" and found.targets is not None
    assert found.targets.shape == (6, 1, 4) and found.targets.dtype == np.float32
    assert make_samples(same_net(), [np.ones((6, 4))], np.eye(4)[[0] * 6], "regression").task == "regression"


@pytest.mark.parametrize("dtype", ["i4", "u1", "?"])
def test_two_classes_of_one_output(dtype: str) -> None:
    samples = make_samples(binary_net(), [images()], (LABELS % 2).astype(dtype))
    assert samples.task == "classification" and samples.targets is not None
    assert samples.targets.dtype == np.int64 and set(samples.targets.tolist()) == {0, 1}
    steps = make_samples(binary_counter(), [np.zeros((12, 30, 1, 1))], np.ones((12, 30), int))
    assert steps.task == "regression"
    soft = make_samples(binary_net(), [images()], np.full(12, 0.3))
    assert soft.task == "regression"


def test_tasks_that_take_no_targets() -> None:
    for task in ("autoencoder", "distillation"):
        found = make_samples(same_net(), [np.ones((6, 4))], np.ones(6), task)
        assert found.task == task and found.targets is None


def test_steps_of_a_net_with_states() -> None:
    found = make_samples(counter(), [np.ones((6, 5, 3))], LABELS[:6])
    assert found.inputs[0].shape == (6, 5, 1, 3) and found.task == "classification"
    found = make_samples(counter(), [np.ones((6, 5, 3))], np.ones((6, 5, 3)) / 2)
    assert found.targets is not None and found.targets.shape == (6, 5, 1, 3)


# what does not


def x_y(x: np.ndarray, y: np.ndarray | None = None) -> Callable[[Path], Path]:
    arrays = {"x": x} if y is None else {"x": x, "y": y}
    return lambda folder: stored(folder / "a.npz", **arrays)


def with_value(value: float) -> np.ndarray:
    x = images()
    x[7, 1] = value
    return x


def text_file(folder: Path) -> Path:
    path = folder / "a.npz"
    path.write_text("x,y\n1,2\n")
    return path


def written(content: Mapping[str, bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "a.npz", "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return folder / "a.npz"

    return write


def array_bytes(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=True)
    return stream.getvalue()


def claimed(shape: tuple[int, ...]) -> bytes:
    """The header of an array that is not there."""
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


REFUSED: list[tuple[str, Callable[[], Graph], Callable[[Path], Path], dict[str, Any]]] = [
    (
        "b.npz: wanted a file, found none of this name; correct the path",
        image_net,
        lambda folder: folder / "b.npz",
        {},
    ),
    (
        "a.npz: wanted an .npz file of arrays, found File is not a zip file; write it with numpy.savez",
        image_net,
        text_file,
        {},
    ),
    (
        "a.npz: wanted an .npz file of arrays, found y.npy has a header for structured arrays; "
        "write it with numpy.savez",
        image_net,
        written({"x.npy": array_bytes(images()), "y.npy": array_bytes(LABELS, (2, 0))}),
        {},
    ),
    (
        "a.npz: wanted at most 1000 arrays, found 1001; store fewer",
        image_net,
        written({f"{index}.npy": b"" for index in range(1001)}),
        {},
    ),
    (
        "a.npz: wanted an array x, found no array; store the net's inputs under this name",
        image_net,
        written({}),
        {},
    ),
    (
        "a.npz: wanted an array a or x_0, found x, y; store the net's inputs under this name\n"
        "a.npz: wanted an array b or x_1, found x, y; store the net's inputs under this name",
        two_inputs,
        x_y(images(), LABELS),
        {},
    ),
    (
        "a.npz: x: wanted numbers, found pickled objects; store an array of integers or floats\n"
        "a.npz: y: wanted numbers, found <U3; store an array of integers or floats",
        image_net,
        written({"x.npy": array_bytes(np.array([None])), "y.npy": array_bytes(np.array(["cat"]))}),
        {},
    ),
    (
        "a.npz: x: wanted at least one sample, found float32[0,4,5,2]; give data",
        image_net,
        x_y(images(0)),
        {},
    ),
    (
        "a.npz: wanted at most 4 GiB of data, found 4.7 GiB; give fewer samples",
        image_net,
        written({"x.npy": claimed((125_000_000, 4, 5, 2))}),
        {},
    ),
    (
        "a.npz: wanted an .npz file of arrays, found EOF: reading array data, expected 480 bytes got 0; "
        "write it with numpy.savez",
        image_net,
        written({"x.npy": claimed((12, 4, 5, 2))}),
        {},
    ),
    (
        "a.npz: x: wanted [samples,1,4,5,2] (axes of 1 may be missing), found float32[12,2,4,5]; "
        "store the samples in this shape\n"
        "a.npz: y: wanted 12 samples, as in x, found 11; store arrays of equal length",
        image_net,
        x_y(images().transpose(0, 3, 1, 2), LABELS[:11]),
        {},
    ),
    (
        "a.npz: x: wanted [samples,steps,1,3] (axes of 1 may be missing), found float64[12,3]; "
        "store the samples in this shape",
        counter,
        x_y(np.ones((12, 3))),
        {},
    ),
    (
        "a.npz: x: wanted integers for i8[1,4], found float64; store integers",
        integer_net,
        x_y(np.ones((12, 4))),
        {},
    ),
    (
        "x_0: wanted values that i8 holds, found 0 to 200; scale or remove them",
        integer_net,
        x_y(np.array([[0, 200, 1, 1]])),
        {},
    ),
    (
        "x_0: wanted values that f32 holds, found 0.0 to 1e+39; scale or remove them",
        image_net,
        x_y(np.where(images(dtype="f8") == images()[0, 0, 0, 0], 1e39, 0.0)),
        {},
    ),
    (
        "x_0: wanted finite numbers, found NaN in sample 7; remove the sample",
        image_net,
        x_y(with_value(np.nan)),
        {},
    ),
    (
        "x_0: wanted finite numbers, found infinity in sample 7; remove the sample",
        image_net,
        x_y(with_value(np.inf)),
        {},
    ),
    (
        "y: wanted labels from 0 to 2, found 1 to 3; number the classes as the net does",
        image_net,
        x_y(images(), LABELS + 1),
        {},
    ),
    (
        "y: wanted samples of all 3 classes, found none of class 1, 2; "
        "add samples of it, or choose distillation: it needs no labels",
        image_net,
        x_y(images(), LABELS * 0),
        {"every_class": True},
    ),
    (
        "a.npz: y: wanted integer labels [12], found int64[12,3], one column a class; "
        "store the labels: y.argmax(-1)",
        image_net,
        x_y(images(), np.eye(3, dtype=np.int64)[LABELS]),
        {"task": "classification"},
    ),
    (
        "y: wanted integer labels [12], found float64[12,3], one column a class; "
        "store y.argmax(-1), or choose --task regression",
        image_net,
        x_y(images(), np.eye(3)[LABELS]),
        {},
    ),
    (
        "y: wanted integer labels [12], found float64[12], zeros and ones; "
        "store y as integers, or choose --task regression",
        binary_net,
        x_y(images(), LABELS % 2 / 1.0),
        {},
    ),
    (
        "y: wanted labels from 0 to 1, found 0 to 2; number the classes as the net does",
        binary_net,
        x_y(images(), LABELS),
        {},
    ),
    (
        "y: wanted samples of all 2 classes, found none of class 1; "
        "add samples of it, or choose distillation: it needs no labels",
        binary_net,
        x_y(images(), LABELS * 0),
        {"every_class": True},
    ),
    (
        "a.npz: y: wanted integer labels [12], found float64[12]; store the number of each sample's class",
        image_net,
        x_y(images(), LABELS / 2),
        {"task": "classification"},
    ),
    (
        "a.npz: y: wanted [12,1,4], as the output (axes of 1 may be missing), found float64[12,5]; "
        "store the targets in this shape",
        same_net,
        x_y(np.ones((12, 4)), np.ones((12, 5))),
        {},
    ),
    (
        "a.npz: y: wanted targets, for a regression, found none; store them, or choose distillation",
        same_net,
        x_y(np.ones((12, 4))),
        {"task": "regression"},
    ),
    (
        "a.npz: y: wanted labels, for a classification, found none; store them, or choose distillation",
        image_net,
        x_y(images()),
        {"task": "classification"},
    ),
    (
        "--task: wanted one output, for a regression, found f32[1,4], f32[4]; choose distillation",
        two_outputs,
        x_y(np.ones((12, 4)), np.ones((12, 4))),
        {},
    ),
    (
        "--task: wanted one output with a score for each class, or the sigmoid of one, to classify, "
        "found f32[1,4], f32[4]; choose regression or distillation",
        two_outputs,
        x_y(np.ones((12, 4)), LABELS),
        {"task": "classification"},
    ),
    (
        "--task: wanted one input and one output of the same size, for an autoencoder, "
        "found f32[1,4,5,2] and f32[1,3]; choose another task",
        image_net,
        x_y(images()),
        {"task": "autoencoder"},
    ),
    (
        "--task: wanted one of auto, classification, regression, autoencoder, distillation, found guess; "
        "name one of these",
        image_net,
        x_y(images()),
        {"task": "guess"},
    ),
]


@pytest.mark.parametrize(
    ("message", "graph", "write", "flags"), REFUSED, ids=[row[0][:60] for row in REFUSED]
)
def test_refuses(
    message: str,
    graph: Callable[[], Graph],
    write: Callable[[Path], Path],
    flags: dict[str, Any],
    tmp_path: Path,
) -> None:
    assert raises(lambda: load_samples(write(tmp_path), graph(), **flags)) == message


def test_refuses_files_that_differ(tmp_path: Path) -> None:
    net = counter()
    files = [
        stored(tmp_path / "a.npz", x=np.ones((4, 5, 3)), y=LABELS[:4]),
        stored(tmp_path / "b.npz", x=np.ones((4, 6, 3))),
        stored(tmp_path / "c.npz", x=np.ones((4, 5, 3)), y=LABELS[:4]),
    ]
    assert raises(lambda: load_samples(files, net)) == (
        "b.npz: wanted labels y, as in a.npz, found none; store all files alike\n"
        "b.npz: x_0: wanted samples as in a.npz: float64[4,5,3], found float64[4,6,3]; store all files alike"
    )
    assert raises(lambda: load_samples(files[1:], net)) == (
        "c.npz: wanted no labels y, as in b.npz, found labels; store all files alike\n"
        "c.npz: x_0: wanted samples as in b.npz: float64[4,6,3], found float64[4,5,3]; store all files alike"
    )


def test_all_files_are_read_before_any_is_refused(tmp_path: Path) -> None:
    files = [text_file(tmp_path), tmp_path / "b.npz"]
    assert len(raises(lambda: load_samples(files, image_net())).splitlines()) == 2


def test_reads_what_was_checked(tmp_path: Path) -> None:
    """Not a member of nearly the same name, as numpy.load would."""
    decoy = array_bytes(np.zeros((1 << 10, 4, 5, 2)))
    path = written({"x": decoy, "x.npy": array_bytes(images())})(tmp_path)
    with np.load(path) as file:
        assert len(file["x"]) == 1 << 10
    np.testing.assert_array_equal(load_samples(path, image_net()).inputs[0][:, 0], images())


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros((100_000, 4, 5, 2), np.uint8))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr("s2c.train.data.MOST_BYTES", 1 << 20)
    monkeypatch.setattr(npz, "read_arrays", lambda *_: pytest.fail("was read"))
    assert "found 0.0 GiB" in raises(lambda: load_samples(path, image_net()))
