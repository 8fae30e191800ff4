"""What inspect and ops show: a model's tree of layers, whether it will compile, what the readers know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import model_of
from test_cli import HOSTILE, dense, s2c

from s2c.coverage import named_ops
from s2c.errors import Problem
from s2c.ir import Node
from s2c.ops import make
from s2c.outline import DEEPEST, MOST_ROWS, Layer, grow, parts_of, rows, shown_depth
from s2c.refusals import LONGEST, group, sayable
from s2c.report import describe_outline, show
from s2c.summary import short_number


def layer(name: str, macs: int = 1) -> Layer:
    return Layer(name, {"dense": 1}, (1, 4), macs, 2)


def names(*given: str, depth: int = DEEPEST) -> list[str]:
    return [name for name, _ in rows(grow([layer(each) for each in given]), depth)]


def test_tree_of_names() -> None:
    assert names("stem", "block/a.conv", "block/a.relu", "block/b/conv", "/head") == [
        "stem",
        "block",
        "├─ a",
        "│  ├─ conv",
        "│  └─ relu",
        "└─ b/conv",
        "head",
    ]


def test_layer_that_is_a_part_of_other_names() -> None:
    assert names("a", "a/b", "a/c") == ["a", "├─ a", "├─ b", "└─ c"]


def test_chains_of_single_branches_are_merged() -> None:
    assert names("model/net/block/a", "model/net/block/b") == ["model/net/block", "├─ a", "└─ b"]


def test_fused_layers_go_by_their_first_name() -> None:
    assert names("net/relu;net/bias;net/conv", "net/dense") == ["net", "├─ relu", "└─ dense"]


def test_depth() -> None:
    tree = grow([layer("a/b/c"), layer("a/b/d"), layer("a/e")])
    assert names("a/b/c", "a/b/d", "a/e", depth=1) == ["a"]
    assert [len(branch.layers) for _, branch in rows(tree, 2)] == [3, 2, 1]


def test_names_that_are_deep_or_strange() -> None:
    deep = "/".join("x" * 5000)
    assert len(parts_of(deep)) == DEEPEST
    assert "".join(parts_of(deep)) == deep
    assert names(deep) == [deep]
    assert names("", "/", "...", "//a") == ["", "/", "...", "a"]


def test_big_nets_are_folded() -> None:
    tree = grow([layer(f"stage{index // 16}/block{index // 4}/layer{index}") for index in range(256)])
    assert shown_depth(tree) == 1
    assert len(list(rows(tree, 1))) == 16


def test_the_middle_of_a_flat_net_is_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    layers = [layer(f"layer{index}") for index in range(100)]
    show(describe_outline(layers))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2 + MOST_ROWS + 2
    assert lines[2 + MOST_ROWS // 2] == ["..", "40", "layers", "1x4", "40", "80"]
    assert lines[-1] == ["all", "100", "layers", "1x4", "100", "200"]
    show(describe_outline(layers, depth=1))
    assert len(capsys.readouterr().out.splitlines()) == 103


def test_inspect_a_model(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx", (1, 1024), 1024)
    summary = json.loads(s2c("inspect", model, "--json").stdout)
    assert (summary["ops"], summary["macs"], summary["matmul_share"]) == ({"dense": 1}, 1 << 20, 1.0)
    assert summary["parameters"] == (1 << 20) + 1024
    assert summary["constant_bytes"] == 4 * summary["parameters"]
    assert summary["targets"]["host"] == {"fits": True, "why_not": None}
    assert summary["targets"]["cortex-m4"] == {"fits": False, "why_not": "4198400 bytes of constants"}
    assert [call["kernel"] for call in summary["calls"]] == ["matmul_f32.vector"]
    assert summary["layers"] == [
        {"name": "layer", "ops": {"dense": 1}, "shape": [1, 1024], "macs": 1 << 20, "parameters": 1049600}
    ]
    text = s2c("inspect", model).stdout
    assert "too large for  cortex-m33" in text
    last = "compiles for host: 1.05 MMAC, 1.05 M parameters, arena 8,2.. bytes, constants 4,198,400 bytes"
    assert re.fullmatch(last, text.splitlines()[-1])  # 8,192 and a vector of this processor


def test_a_model_that_does_not_fit_is_shown_and_refused(tmp_path: Path) -> None:
    result = s2c("inspect", dense(tmp_path / "net.onnx", (1, 1024), 1024), "--target", "cortex-m4")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[2].split() == ["layer", "dense", "1x1024", "1,048,576", "1,049,600"]
    assert result.stderr == (
        "error: net: wanted at most 2097152 bytes of flash, which cortex-m4 has, found 4198400 bytes of "
        "constants; choose a target with more memory, or a smaller net\n"
    )


def test_a_model_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx", ("batch", 8))
    result = s2c("inspect", model)
    assert (result.exit_code, result.stdout) == (2, "")
    assert s2c("inspect", model, "--dim", "batch=1").exit_code == 0


def test_bound_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 8), np.float32))
    result = s2c("inspect", dense(tmp_path / "net.onnx"), "--const", f"x={tmp_path / 'x.npy'}")
    assert result.exit_code == 0, result.output


def test_parameters_of_constants(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "c"], ["z"], name="first"),
        helper.make_node("Mul", ["z", "c"], ["y"], name="second"),
    ]
    model = tmp_path / "net.onnx"
    model.write_bytes(model_of(nodes, {"x": (2, 3)}, {"c": np.ones((2, 3), np.float32)}))
    layers = json.loads(s2c("inspect", model, "--json").stdout)["layers"]
    assert [each["parameters"] for each in layers] == [6, 6]  # each layer is given its own copy


def test_tables_fit_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = s2c("inspect", dense(tmp_path / "net.onnx", name="block/" * 30 + "last")).stdout
    assert max(map(len, text.splitlines()[:-1])) == 80
    assert "block/b" in text
    assert "/last  dense" in text


def test_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    text = s2c("inspect", dense(tmp_path / "net.onnx", name=HOSTILE.replace(";", ""))).stdout
    assert "\x1b" not in text
    assert "?[31m" in text


def test_short_numbers() -> None:
    counts = (0, 999, 1000, 22_345, 2_661_000, 3 * 10**9)
    assert [short_number(count) for count in counts] == ["0 ", "999 ", "1 k", "22.3 k", "2.66 M", "3 G"]


def test_problems_are_grouped_and_cut() -> None:
    problems = [Problem(f"layer{index}", "a", "b" * 10_000, "c") for index in range(1000)]
    assert [each.layer for each in group(problems)] == ["layer0, layer1, layer2 and 997 more"]
    assert len(sayable(problems[0]).found) == LONGEST
    assert [each.layer for each in group(problems[:2])] == ["layer0, layer1"]


# ops


@pytest.mark.build
def test_ops_as_json() -> None:
    document = json.loads(s2c("ops", "--json").stdout)
    found = {each["frontend"]: each for each in document}
    assert list(found) == ["onnx", "tflite", "torch", "keras", "rtneural", "s2c"]
    schemas = [each for each in onnx.defs.get_all_schemas() if not each.domain and not each.deprecated]
    assert found["onnx"]["known"] == len({each.name for each in schemas})
    for each in document:
        listed = [op["op"] for op in each["ops"]]
        assert listed == sorted(set(listed))
        assert each["known"] is None or 0 < len(listed) <= each["known"]
        assert all(op["how"] for op in each["ops"])
    conv = next(op for op in found["onnx"]["ops"] if op["op"] == "Conv")
    assert "conv2d" in conv["made_of"]
    conv2d = next(op for op in found["s2c"]["ops"] if op["op"] == "conv2d")
    assert {"matmul", "window"} <= set(conv2d["made_of"])
    assert next(op for op in found["s2c"]["ops"] if op["op"] == "matmul")["how"] == "core"


@pytest.mark.build
def test_ops_as_a_table() -> None:
    text = s2c("ops").stdout
    assert f"ops of opset {onnx.defs.onnx_opset_version()}\n" in text, text
    assert "built-in ops" in text


def test_ops_that_functions_make() -> None:
    def by_variable(op: str) -> Callable[[Node], Node]:
        return lambda node: make(op, (node,), "layer")

    def by_name(node: Node) -> Node:
        return make("mul", (softened(node), node), "layer")

    made = by_variable("relu")
    for function in (made, by_name, softened):
        function.__module__ = "s2c.test"
    assert named_ops(made) == ("relu",)
    assert named_ops(by_name) == ("mul", "softmax")
    assert named_ops(lambda node: node) == ()


def softened(node: Node) -> Node:
    return make("softmax", (node,), "layer")
