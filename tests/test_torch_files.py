""".pt2 files: the same Graph as the module's, and hostile ones refused with nothing unpickled."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from s2c.errors import CompileError  # noqa: E402
from s2c.readers.torch import load_module, load_torch_file, save_module, write_module  # noqa: E402

pytestmark = pytest.mark.build


PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
SAMPLES = "data/sample_inputs/model.pt"
AGAIN = "; write it again with torch.export.save"


class Net(nn.Module):
    """Ops in place, a recurrent layer, constants, several results, one that is None."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)
        self.gru = nn.GRU(4, 3, batch_first=True)
        self.register_buffer("order", torch.arange(4))

    def forward(self, x: Any) -> Any:
        y = F.relu(self.norm(self.conv(x)), inplace=True).transpose(1, 2)
        y, _ = self.gru(y)
        y[:, 0] = 1
        best, places = y.topk(2, -1)
        parts = torch.cat((best, places.float()), -1)[..., self.order % 2].chunk(2, 1)
        return {"a": parts, "b": None}, y * torch.tensor([1.0, 2.0, 3.0])


def inputs() -> tuple[Any, ...]:
    return (torch.linspace(-1, 1, 14).reshape(1, 2, 7),)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return write_module(Net(), inputs(), tmp_path_factory.mktemp("pt2"))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {each.filename.split("/", 1)[1]: file.read(each) for each in file.infolist()}


def packed(folder: Path, content: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "hostile.pt2"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in content.items():
            file.writestr(f"net/{name}", data)
    return path


def problem_of(path: Path, **dims: int) -> str:
    with pytest.raises(CompileError) as caught:
        load_torch_file(path, dims, {})
    return str(caught.value)


def changed(path: Path, name: str, change: Callable[[Any], None]) -> dict[str, bytes]:
    content = members(path)
    document = json.loads(content[name])
    change(document)
    return {**content, name: json.dumps(document).encode()}


def test_file_gives_the_graph_of_its_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Net()
    path = tmp_path / "net.pt2"
    save_module(module, inputs(), path)
    assert str(load_torch_file(path, {}, {})) == str(load_module(module, inputs()))


def test_bound_inputs(saved: Path) -> None:
    (x,) = inputs()
    assert load_torch_file(saved, {}, {"x": x.numpy()}).inputs == ()
    assert problem_of(saved, batch=2) == (
        "model: wanted no --dim, as shapes are fixed when exporting, found batch; export again"
    )


class Picking(nn.Module):
    def forward(self, x: Any) -> Any:
        y = x[x > 0] * 2
        with torch.no_grad():
            z = x + 1
        return torch.lgamma(y).sum() + z


def test_all_calls_that_are_not_read(tmp_path: Path) -> None:
    """Of a file that someone else saved; what depends on a problem is passed over."""
    path = tmp_path / "picking.pt2"
    torch.export.save(torch.export.export(Picking(), inputs()), path)
    first, second = problem_of(path).splitlines()
    assert first.startswith(
        "index: wanted a shape that depends on no data, found aten.index.Tensor at test_torch"
    )
    assert first.endswith("(y = x[x > 0] * 2); write it with torch.where and masks")
    assert second == (
        "add: wanted an ATen op that s2c reads, found higher_order.wrap_with_set_grad_enabled; "
        "export under torch.no_grad()"
    )


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (
            nn.BatchNorm2d(3),
            "0: wanted a net for inference, found batch normalization that trains; "
            "call module.eval() before exporting",
        ),
        (
            nn.InstanceNorm2d(3, track_running_stats=True),
            "0: wanted a net for inference, found batch normalization that trains; "
            "call module.eval() before exporting",
        ),
        (nn.Dropout(), "0: wanted dropout for inference, found dropout that trains; call module.eval()"),
        (
            nn.Dropout2d(),
            "0: wanted a net without random numbers, found aten.bernoulli.p; "
            "call module.eval() before exporting, or make the random tensor an input",
        ),
        (nn.RReLU(), "0: wanted a net for inference, found rrelu that trains; call module.eval()"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, nn.Module) else "",
)
def test_exported_in_training(layer: nn.Module, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(nn.Sequential(layer).train(), (torch.ones(2, 3, 4, 4),)), path)
    assert problem_of(path) == wanted


def test_results_of_named_types(tmp_path: Path) -> None:
    class Best(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.max(1), torch.view_as_real(torch.fft.fft(x) * 2j)

    graph = load_torch_file(write_module(Best(), inputs(), tmp_path), {}, {})
    assert [each.type.dtype for each in graph.outputs] == ["f32", "i64", "f32"]


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_pickle_is_opened(saved: Path, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    hostile = pickle.dumps(Payload(trace))
    load_torch_file(packed(tmp_path, {**members(saved), SAMPLES: hostile}), {}, {})

    def use_pickle(config: Any) -> None:
        config["config"]["conv.weight"]["use_pickle"] = True

    content = changed(saved, WEIGHTS, use_pickle)
    path = packed(tmp_path, {**content, "data/weights/weight_0": hostile})
    assert problem_of(path).startswith(
        "conv.weight: wanted a tensor stored as plain numbers, found a pickle (data/weights/weight_0), which "
    )
    for suffix in (".pt", ".pth", ".th"):
        weights = tmp_path / f"weights{suffix}"
        weights.write_bytes(hostile)
        assert problem_of(weights) == (
            "model: wanted a net, as a .pt2 or .onnx file holds, found weights alone, or pickled Python "
            f"({suffix}); export it: torch.export.save(torch.export.export(module.eval(), example_inputs), "
            "'model.pt2')"
        )
    assert not trace.exists()


def set_target(target: Any) -> Callable[[Any], None]:
    def change(program: Any) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    return change


@pytest.mark.parametrize(
    "target",
    [
        "torch.hub.load",
        "torch.ops.aten.from_file.default",
        "torch.ops.prim.Print.default",
        "torch.ops.higher_order.cond",
        "torch.ops.aten.add.out",
        "torch.ops.load_library",
        "_operator.attrgetter",
        "math.factorial",
        "os.system",
        5,
    ],
)
def test_unknown_targets(saved: Path, tmp_path: Path, target: Any) -> None:
    found = problem_of(packed(tmp_path, changed(saved, PROGRAM, set_target(target))))
    shown = str(target).removeprefix("torch.ops.")
    assert found.startswith(f"conv: wanted an ATen op that s2c reads, found {shown} at test_torch_files.py:")


def set_extent(program: Any) -> None:
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = {
        "as_expr": {"expr_str": "__import__('os').system('true')"}
    }


def set_version(program: Any) -> None:
    program["schema_version"]["major"] = 9


def empty_output(program: Any) -> None:
    (output, *_) = program["graph_module"]["signature"]["output_specs"]
    output["user_output"]["arg"] = {}


def drop_nodes(program: Any) -> None:
    del program["graph_module"]["graph"]["nodes"][3:]


def enlarge(config: Any) -> None:
    config["config"]["conv.weight"]["tensor_meta"]["sizes"] = [
        {"as_int": 1 << 40},
        {"as_int": 2},
        {"as_int": 3},
    ]


def stride_outside(config: Any) -> None:
    config["config"]["conv.weight"]["tensor_meta"]["strides"] = [{"as_int": 9}] * 3


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            PROGRAM,
            set_extent,
            "x: wanted a fixed shape, found a symbolic extent; export without dynamic_shapes, with example "
            "inputs of the shape that you need",
        ),
        (PROGRAM, set_version, f"model: wanted a program of schema version 8, found version 9{AGAIN}"),
        (PROGRAM, empty_output, "model: wanted tensors as outputs, found none; return tensors alone"),
        (
            PROGRAM,
            drop_nodes,
            "model: wanted an archive of torch.export.save, found a broken program: "
            f"KeyError: 'getitem_4'{AGAIN}",
        ),
        (
            WEIGHTS,
            enlarge,
            "conv.weight: wanted at most 2147483648 bytes, found shape [1099511627776, 2, 3]; "
            "use a smaller model",
        ),
        (
            WEIGHTS,
            stride_outside,
            "model: wanted an archive of torch.export.save, found 96 bytes for conv.weight, which is of "
            f"shape [4, 2, 3]{AGAIN}",
        ),
    ],
)
def test_broken_programs(
    saved: Path, tmp_path: Path, name: str, change: Callable[[Any], None], message: str
) -> None:
    assert problem_of(packed(tmp_path, changed(saved, name, change))) == message


def archive_error(found: str) -> str:
    return f"model: wanted an archive of torch.export.save, found {found}{AGAIN}"


def test_broken_archives(saved: Path, tmp_path: Path) -> None:
    content = members(saved)
    assert problem_of(packed(tmp_path, content, zipfile.ZIP_DEFLATED)) == archive_error(
        "compressed files in it"
    )
    assert problem_of(packed(tmp_path, {"a": b""})) == archive_error("another kind of archive")
    assert problem_of(packed(tmp_path, {**content, "models/b.json": b"{}"})) == archive_error(
        "2 programs in it"
    )
    nested = {**content, PROGRAM: b"[" * 100_000}
    assert problem_of(packed(tmp_path, nested)) == archive_error(
        "no JSON in net/models/model.json: RecursionError"
    )
    library = {**content, "data/aotinductor/model/a.so": b""}
    assert problem_of(packed(tmp_path, library)) == (
        "model: wanted a program, found machine code (data/aotinductor/model/a.so); save it with "
        "torch.export.save"
    )


def test_truncated_files(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    path = tmp_path / "cut.pt2"
    for size in [1, 3, *np.linspace(4, len(data) - 1, 40).astype(int)]:
        path.write_bytes(data[:size])
        assert "wanted an archive of torch.export.save" in problem_of(path)


def test_overlapping_members(saved: Path, tmp_path: Path) -> None:
    """A directory that lists one stretch of the file many times."""
    path = packed(tmp_path, {**members(saved), "zeros": bytes(1 << 16)})
    stream = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(stream, "a") as file:
        for _ in range(20):
            file.filelist.append(file.getinfo("net/zeros"))
        file._didModify = True
    path.write_bytes(stream.getvalue())
    assert problem_of(path) == archive_error("files in it that overlap")
