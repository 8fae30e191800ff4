"""Numbers of cases on stdin to outcomes on stdout, in a process whose memory and time are bounded."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

SECONDS = 10  # of the processor, for one case
BYTES = 4 << 30


def serve(reader: str, seed: int, folder: Path) -> None:
    """Ends by SIGPROF, with a traceback in the folder's file "hang", where a case takes too long."""
    from fuzz.attempt import attempt
    from fuzz.cases import SUFFIXES, make_cases

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    if reader == "keras":
        from fuzz.keras_mutations import fork_the_child

        fork_the_child()
    make = make_cases(reader, seed)
    path = folder / f"case{SUFFIXES[reader]}"
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    with (folder / "hang").open("w") as trace:
        faulthandler.register(signal.SIGPROF, trace, all_threads=False, chain=True)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            path.write_bytes(make(int(line)))
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            outcome = attempt(path)
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps(asdict(outcome)), file=answers, flush=True)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
