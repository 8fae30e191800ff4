"""An image -> a process of it that serves inferences."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, final

from s2c.build import Image
from s2c.errors import error
from s2c.resources import PACKAGE
from s2c.target import Target, not_installed, placeholders, refuse_missing


class ProcessError(RuntimeError):
    """An image that ended when it should not have."""


@final
class Process:
    """An image that runs and serves inferences: a class, because it owns a child process."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        try:
            self.child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment
            )
        except OSError:
            self.errors.close()
            raise

    @classmethod
    def start(
        cls, target: Target, image: Image, functions: Sequence[str] | None = None, repeat: int = 1
    ) -> Process:
        """functions (emulated targets): count each call of these, be they none. repeat (others): time so many
        calls. CompileError where the image is missing or does not start.
        """
        refuse_missing(target, not_installed(target, target.needs))
        values = {
            **placeholders(target),
            "image": str(image.path.resolve()),
            "functions": ",".join(functions or ()),
            "repeat": str(repeat),
        }
        command = [*target.run, *(() if functions is None else target.count_calls)]
        try:
            image.path.stat()
            return cls([part.format_map(values) for part in command])
        except OSError as problem:
            wanted, found = f"an image that runs on {target.name}", problem.strerror or type(problem).__name__
            raise error(str(image.path), wanted, found, "compile the model again") from None

    def run(self, inputs: bytes, output_bytes: int) -> tuple[bytes, dict[str, Any]]:
        """One inference: its raw outputs and its counters. ProcessError if the image ends instead."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(inputs)
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self.ended() from None
        outputs = self.child.stdout.read(output_bytes)
        line = self.child.stdout.readline()
        if not line.endswith(b"\n"):
            raise self.ended()
        return outputs, json.loads(line)

    def ended(self) -> ProcessError:
        status = self.child.wait()
        self.errors.seek(0)
        printed = self.errors.read().decode(errors="replace").strip() or "it printed nothing"
        return ProcessError(f"the image ended with status {status}: {printed.splitlines()[-1]}")

    def close(self) -> None:
        """Ends the input; what still runs is killed."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.errors.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
