"""Tries a reader with strange models for a while: `python tests/fuzz/fuzz.py onnx --minutes 60 --seed 1`.

What is neither compiled nor refused is kept in a folder, once for each place where it went wrong. A case is
its number under a seed, so that a run can be had again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 600  # seconds for one case, of which worker.SECONDS may be the processor's: machines are shared


@dataclass
class Session:
    """What all workers share."""

    reader: str
    seed: int
    end: float
    folder: Path
    first: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 0

    def next(self) -> int | None:
        with self.lock:
            if time.monotonic() > self.end:
                return None
            self.number += 1
            return self.first + self.number - 1


class Worker:
    """A process that tries cases; it is started anew after one that ended it."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "worker.py"), self.session.reader, str(self.session.seed)]
        with (self.folder / "errors").open("w") as errors:
            process = subprocess.Popen(
                [*command, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError((self.folder / "errors").read_text(errors="replace"))
        return process

    def attempt(self, number: int) -> dict[str, str]:
        assert self.process.stdin and self.process.stdout
        try:
            print(number, file=self.process.stdin, flush=True)
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            line = self.process.stdout.readline() if ready else ""
        except BrokenPipeError:
            line = ""
        if line:
            return dict(json.loads(line))
        return self.bury()

    def bury(self) -> dict[str, str]:
        """What is known of a process that no longer answers."""
        try:
            status = self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        trace = (self.folder / "hang").read_text(errors="replace")
        frames = re.findall(r'/s2c/([a-z0-9_/]+)\.py", line \d+ in (\w+)', trace)
        place = ".".join(frames[0]).replace("/", ".") if frames else "unknown"
        errors = (self.folder / "errors").read_text(errors="replace")[-2000:]
        return {"kind": "found", "where": f"ended-by-{-status}-{place}", "trace": trace or errors}

    def case(self) -> bytes:
        """The last one."""
        return next(self.folder.glob("case.*")).read_bytes()


def work(session: Session) -> None:
    with tempfile.TemporaryDirectory(prefix="s2c-fuzz-") as folder:
        worker = Worker(session, Path(folder))
        try:
            while (number := session.next()) is not None:
                outcome = worker.attempt(number)
                with session.lock:
                    keep(session, number, outcome, worker)
                if worker.process.poll() is not None:
                    worker.process = worker.start()
        finally:
            worker.process.kill()


def keep(session: Session, number: int, outcome: dict[str, str], worker: Worker) -> None:
    """Counts an outcome; the first finding of a place is written."""
    from fuzz.cases import SUFFIXES

    session.outcomes[outcome["kind"]] += 1
    if outcome["kind"] != "found":
        return
    place = re.sub(r"[^A-Za-z0-9_.-]", "_", outcome["where"])
    session.places[place] += 1
    if session.places[place] > 1:
        return
    session.folder.mkdir(parents=True, exist_ok=True)
    (session.folder / f"{place}{SUFFIXES[session.reader]}").write_bytes(worker.case())
    (session.folder / f"{place}.txt").write_text(f"seed {session.seed}, case {number}\n{outcome['trace']}")


def report(session: Session, is_last: bool) -> None:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(session.outcomes.items()))
    text = f"{session.number:,} cases: {counts}; {len(session.places)} places"
    print(f"\r{text}", end="\n" if is_last or not sys.stdout.isatty() else "", flush=True)


def main() -> int:
    sys.path[0] = str(HERE.parent)
    from fuzz.cases import MAKERS

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reader", choices=sorted(MAKERS))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", type=Path, default=Path("out/fuzz"), metavar="DIR", help="where findings go")
    flags = parser.parse_args()
    end = time.monotonic() + 60 * flags.minutes
    session = Session(flags.reader, flags.seed, end, flags.o, flags.first)
    threads = [threading.Thread(target=work, args=(session,)) for _ in range(flags.jobs)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(10)
        report(session, is_last=False)
    report(session, is_last=True)
    for place, count in session.places.most_common():
        print(f"{count:6,} {place}")
    return 1 if session.places else 0


if __name__ == "__main__":
    sys.exit(main())
