"""``python -m include.core.ml.serving.worker_process DESCRIPTOR MEMORY CPU``: a sandboxed process that predicts.

It reads its model and then rows from a connection, and writes an answer to each; see
:mod:`include.core.ml.serving.worker`. It gives way to other processes for the CPU, and is the first to be ended if
memory runs out.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from include.core.ml import artifact
from include.core.ml.errors import failure
from include.core.ml.sandbox.confinement import confine
from include.core.ml.serving.lean import lean
from include.core.ml.spec import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

VICTIM = Path("/proc/self/oom_score_adj")  # Linux


def main(descriptor: str, memory: str, cpu: str) -> None:
    """Load the model, then answer until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends it
    os.nice(10)
    with suppress(OSError):  # not every system has it, or allows it
        VICTIM.write_text("1000")
    connection = Connection(int(descriptor))
    try:
        setup, content = json.loads(connection.recv_bytes()), connection.recv_bytes()
        confine(int(memory))
        _limit_cpu(int(cpu))
        try:
            model = lean(artifact.load(content, artifact.digest(content), setup["trusted"], setup["name"]))
        except Exception as error:  # the server reports it
            _send(connection, {"error": str(error)})
            return
        _send(connection, {})
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a library's warning may contain a row
        while True:
            rows = json.loads(connection.recv_bytes())
            _limit_cpu(int(cpu))
            _send(connection, _answer(model, rows, setup["dtypes"]))
    except (EOFError, ConnectionError):
        return


def _answer(model: Any, rows: list[dict[str, Any]], dtypes: Mapping[str, str]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        frame = typed({name: [row[name] for row in rows] for name in dtypes}, dtypes)
        probabilities = np.asarray(model.predict_proba(frame)[:, 1], dtype=np.float64)
    except Exception as error:
        return {"error": failure(error)}
    milliseconds = (time.perf_counter() - started) * 1000
    return {"probabilities": probabilities.tolist(), "milliseconds": milliseconds}


def _limit_cpu(seconds: int) -> None:
    """Let the next call take so many seconds of CPU."""
    limit, hard = int(time.process_time()) + 1 + seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _send(connection: Connection, answer: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
