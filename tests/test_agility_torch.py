"""bench/agility: the nets are the published ones, the peer keeps its budget, features, the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 's2c[torch]'")

AGILITY = Path(__file__).resolve().parents[1] / "bench" / "agility"
sys.path.append(str(AGILITY))

import digits  # noqa: E402 (bench/agility is no package)
import resnets  # noqa: E402
import table  # noqa: E402
from litert import reference  # noqa: E402
from nets import data  # noqa: E402
from public_nets import resnet  # noqa: E402

from s2c.train.checkpoint import save_checkpoint  # noqa: E402

pytestmark = pytest.mark.build
IMAGES = 16


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    with np.load(data("cifar10/cifar10_test_0000_0999.npz")) as file:
        return file["x"][:IMAGES]


def run(module: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(images).float()).numpy()


def test_resnet8_equals_the_file(images: np.ndarray) -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 's2c[reference]'")
    inputs = images[:, None].astype(np.float32)
    (wanted,) = reference({"resnet8": (resnets.RESNET8.read_bytes(), [inputs])})["resnet8"]
    found = torch.softmax(torch.from_numpy(run(resnets.resnet8(), images)), 1).numpy()
    assert np.abs(found - wanted[:, 0]).max() < 1e-4


def test_resnet20_equals_the_published_architecture(images: np.ndarray) -> None:
    published = resnet("pytorch_resnet_cifar10/resnet20-12fca82f.th", 3)
    colours = (images / 255 - np.array(resnets.MEAN)) / np.array(resnets.DEVIATION)
    wanted = run(published, colours.transpose(0, 3, 1, 2).astype(np.float32))
    assert np.abs(run(resnets.resnet20(), images) - wanted).max() < 1e-3


@pytest.mark.parametrize("net", sorted(resnets.NETS))
def test_peer_keeps_the_budget(net: str, images: np.ndarray) -> None:
    pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 's2c[bench]'")
    import torch_pruning_peer as peer

    data("pytorch_resnet_cifar10/resnet20-12fca82f.th")
    module = resnets.NETS[net]()
    x = torch.from_numpy(images)
    prepared = peer.with_norms(peer.with_convs(resnets.NETS[net]()), x)
    assert np.abs(run(prepared, images) - run(module, images)).max() < 1e-3
    full = peer.count_macs(module)
    pruned = peer.prune(
        module, x, torch.zeros(IMAGES).long(), peer.METHODS["magnitude-global"], ("macs", full / 2)
    )
    assert 0.45 * full < peer.count_macs(pruned) <= 0.5 * full
    assert run(pruned, images).shape == (IMAGES, resnets.CLASSES)


def test_a_tone_is_in_its_band() -> None:
    bank = digits.filters()
    for hertz in (300.0, 1000.0, 2500.0):
        tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(digits.RATE_HZ) / digits.RATE_HZ)
        found = digits.features(tone.astype(np.int16), bank)
        assert found.shape == (digits.FRAMES, digits.BANDS)
        edges = np.linspace(*digits.mel(np.array([digits.LOWEST_HZ, digits.HIGHEST_HZ])), digits.BANDS + 2)
        nearest = int(np.abs(edges[1:-1] - digits.mel(np.array(hertz))).argmin())
        assert found.mean(0).argmax() == nearest, hertz


def test_short_and_long_sounds_give_as_many_frames() -> None:
    bank = digits.filters()
    for samples in (1, 999, 8055, 8056, 8057, 20001):
        sound = np.full(samples, 1000, np.int16)
        assert digits.features(sound, bank).shape == (digits.FRAMES, digits.BANDS)


def test_budgets_by_name() -> None:
    found = [table.named(*each) for each in (("width", 0.5), ("macs", 0.5), ("macs", 0.259))]
    assert found == ["width 0.5", "half of the MACs", "25.9% of the MACs"]


def test_table_means_over_seeds(tmp_path: Path) -> None:
    for seed, accuracy, stolen in ((1, 0.87, 0.1), (2, 0.88, 0.3)):
        result = {
            "net": "resnet8",
            "tool": "s2c",
            "method": "l2",
            "budget": ["macs", 0.5],
            "seed": seed,
            "epochs": 30,
            "loop": 2,
            "macs": {"original": 1000, "pruned": 490},
            "score": {"original": 0.881, "retrained": accuracy},
            "threads": 2,
            "seconds": 600,
            "stolen": stolen,
            "date": "2000-01-01",
            "machine": "a machine",
            "versions": {"s2c": "1"},
        }
        (tmp_path / f"{seed}.json").write_text(json.dumps(result), encoding="utf-8")
    row = table.table(table.load(tmp_path)).splitlines()[2]
    cells = [
        "resnet8, half of the MACs",
        "s2c (l2)",
        "49.0%",
        "88.1%",
        "87.50%",
        "87.0% to 88.0%",
        "-0.60",
        *("2", "30", "2", "10 on 2", "20%"),
    ]
    assert row == "| " + " | ".join(cells) + " |"


def test_what_some_runs_did_not_note_is_not_shown() -> None:
    assert table.stolen([{"stolen": 0.1}, {}]) == table.stolen([{"stolen": None}]) == "–"


def test_minutes_are_told_apart_by_cores() -> None:
    runs = [{"threads": 2, "seconds": 600}, {"seconds": 1200}, {"threads": 1, "seconds": 1260}]
    assert table.minutes(runs) == "20 on 1, 10 on 2"


def test_an_interrupted_run_counts_what_it_trained_before(tmp_path: Path) -> None:
    pytest.importorskip("torch_pruning", reason="torch-pruning is not installed: pip install 's2c[bench]'")
    import peers

    path = tmp_path / "run.checkpoint"
    assert peers.seconds_before(path) == 0
    save_checkpoint(path, "digest", {"spent": 90.5})
    assert peers.seconds_before(path) == 90.5


def test_table_shows_the_newest_loop_and_what_compares() -> None:
    def key(loop: int, tool: str, epochs: int, net: str = "resnet8") -> table.Key:
        return net, "macs", 0.5, loop, tool, "l2", epochs

    shown = [key(1, "s2c", 12), key(1, "peer", 12), key(3, "s2c", 60), key(2, "s2c", 5, "resnet20")]
    old = [key(1, "s2c", 60), key(2, "s2c", 12)]
    assert list(table.worth_showing({each: [] for each in (*old, *shown)})) == shown
