"""Calls of s2c and its peers under pytest-benchmark: a group for each net, to compare two commits.

pytest bench/host/test_host.py --benchmark-only [-k kws]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from host.measure import OWN, own_lacks, peer_files
from host.nets import F32, INT8, SMALL, Net, list_nets
from host.run import BUILT
from readme_tables import DATA

import s2c
from s2c.determinism.measure import draw_inputs
from s2c.determinism.peers import PEERS, Session, Settings, open_compiled

# LiteRT is unstable in one process with the others, and pytest-benchmark needs one: run.py has it.
RUNTIMES = (OWN, "onnxruntime", "openvino")


@pytest.fixture(params=[f"{name} {precision}" for precision in (F32, INT8) for name in SMALL])
def net(request: pytest.FixtureRequest) -> Net:
    name, precision = request.param.split()
    if not (DATA / "bench_nets").is_dir():
        pytest.skip(f"no trained nets in {DATA}: set S2C_DATA")
    return list_nets([name], [precision], DATA, BUILT / "nets")[0]


@pytest.fixture(params=RUNTIMES)
def session(request: pytest.FixtureRequest, net: Net, tmp_path: Path) -> Session:
    name = request.param
    if name == OWN:
        lack = own_lacks(net.precision)
        if lack is not None:
            pytest.skip(lack)
        with s2c.compile(net.own) as program:
            opened = open_compiled(program.save(tmp_path / "net"), Settings())
    else:
        module = PEERS[name].module
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 's2c[bench]'")
        opened = PEERS[name].open(peer_files(net)[name], Settings())
    opened.write(draw_inputs(opened.shapes))
    return opened


def test_call(benchmark: Any, net: Net, session: Session) -> None:
    benchmark.group = net.key
    benchmark(session.call)
