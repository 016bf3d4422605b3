"""A model in a sandboxed process of its own, which is started again after it has ended."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from include.core.ml.errors import SandboxError
from include.core.ml.sandbox import MIB, POLL_SECONDS, SHOWN_CHARACTERS, Progress, reason, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MEMORY = 512 * MIB  # in addition to its libraries
CALL_SECONDS = 60  # of CPU, for a prediction or to load the model
LARGEST_ANSWER = MIB  # bytes
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds before it is started again; doubled each time


class Answer(NamedTuple):
    """The probabilities of rows, which may be anything, and the time that it took to predict them."""

    probabilities: NDArray[np.float64]
    milliseconds: float


class Worker:
    """A loaded model; one thread may predict.

    Raises:
        SandboxError: if the model can't be loaded.

    Args:
        name: of the model, for messages.
        content: the model file.
        trusted: types that it may contain.
        dtypes: pandas type of each column of a row, in order.
    """

    def __init__(self, name: str, content: bytes, trusted: Sequence[str], dtypes: Mapping[str, str]) -> None:
        self._setup = json.dumps({"name": name, "trusted": list(trusted), "dtypes": dict(dtypes)}).encode()
        self._content = content
        self._pause, self._not_before = FIRST_PAUSE, 0.0
        self._lock = threading.Lock()
        self._closed = False
        self._start()

    def predict(self, rows: Sequence[dict[str, Any]]) -> Answer:
        """Return the model's answer.

        Raises:
            SandboxError: if it has none, if its process ended or came to a standstill, or ended so lately that it isn't
                started again yet. The message contains nothing of the rows.
        """
        if self._process.poll() is not None:
            if time.monotonic() < self._not_before:
                raise SandboxError("its process has ended and isn't started again yet")
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
            self._start()
        answer = self._exchange(json.dumps(rows).encode())
        if "error" in answer:
            raise SandboxError(str(answer["error"]))
        try:
            probabilities = np.array(answer["probabilities"], dtype=np.float64)
            milliseconds = float(answer["milliseconds"])
        except (KeyError, TypeError, ValueError):
            raise SandboxError(f"its process sent no answer: {', '.join(answer)}") from None
        if probabilities.shape != (len(rows),):
            raise SandboxError(f"{probabilities.size} answers for {len(rows)} rows")
        self._pause = FIRST_PAUSE
        return Answer(probabilities, milliseconds)

    def close(self) -> None:
        """End the process, also amid a prediction."""
        with self._lock:
            self._closed = True
            self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        command = ["include.core.ml.serving.worker_process", str(theirs.fileno()), str(MEMORY), str(CALL_SECONDS)]
        with tempfile.TemporaryFile() as messages:
            with self._lock, theirs:
                if self._closed:
                    raise SandboxError("it was ended")
                self._process = spawn(command, pass_fds=[theirs.fileno()], stderr=messages)
            try:
                answer = self._exchange(self._setup, self._content)
            except SandboxError as error:
                messages.seek(0)
                text = messages.read().decode(errors="replace").strip()[-SHOWN_CHARACTERS:]
                raise SandboxError(f"{error}: {text}" if text else str(error)) from None
        if "error" in answer:
            self._end()
            raise SandboxError(str(answer["error"]))

    def _exchange(self, *messages: bytes) -> dict[str, Any]:
        """Send messages, and return the answer to the last."""
        progress = Progress(self._process)
        try:
            for message in messages:
                self._connection.send_bytes(message)
            while not self._connection.poll(POLL_SECONDS):
                progress.require()
            answer = json.loads(self._connection.recv_bytes(LARGEST_ANSWER))
        except (EOFError, OSError, ValueError):
            raise SandboxError(self._end()) from None
        except SandboxError:
            self._end()
            raise
        return answer if isinstance(answer, dict) else {}

    def _end(self) -> str:
        """End the process if it hasn't ended; return why it ended."""
        self._connection.close()  # at which it ends by itself, so that its own status is told
        try:
            self._process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._not_before = time.monotonic() + self._pause
        return reason(self._process.wait())
