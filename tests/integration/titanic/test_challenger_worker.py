"""The process of a challenger: what it may, and when it is ended and started again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from include.core.ml import sandbox, skops_io
from include.core.ml.errors import SandboxError
from include.core.ml.serving import worker as workers
from include.core.ml.serving.worker import Worker
from include.domains.titanic.spec import TITANIC
from tests.integration.titanic.test_challenger import CRASH, LABELS, RECORDS, ROWS, SPEC, Stranger, fitted

Start = Callable[[Any], Worker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a worker with a fitted model."""
    started: list[Worker] = []

    def worker(model: Any) -> Worker:
        dtypes = {name: SPEC.dtypes[name] for name in SPEC.columns}
        started.append(Worker("a model", skops_io.dumps(model), SPEC.trusted_types, dtypes))
        return started[-1]

    yield worker
    for item in started:
        item.close()


def test_a_worker_answers_as_the_model_does(start: Start) -> None:
    model = TITANIC.estimators["logistic_regression"]().fit(ROWS, LABELS)
    worker = start(model)
    expected = model.predict_proba(ROWS)[:, 1]
    np.testing.assert_allclose(worker.predict(RECORDS).probabilities, expected, rtol=0, atol=1e-12)
    answer = worker.predict(RECORDS[7:8])
    np.testing.assert_allclose(answer.probabilities, expected[7:8], rtol=0, atol=1e-12)
    assert answer.milliseconds > 0
    pid = worker._process.pid
    worker.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(SandboxError, match="it was ended"):
        worker.predict(RECORDS)


def test_a_worker_has_no_secrets_and_no_network(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPELLBOOK_PROBE", "a secret")
    worker = start(fitted("Calling"))
    with pytest.raises(SandboxError, match=r"the model failed: PermissionError in _forbid, confinement\.py:\d+"):
        worker.predict(RECORDS)
    assert "SPELLBOOK_PROBE" not in psutil.Process(worker._process.pid).environ()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="memory is limited on Linux only")
def test_a_worker_has_a_limit_on_memory(start: Start) -> None:
    worker = start(fitted("Greedy"))
    with pytest.raises(SandboxError, match=r"the model failed: .*MemoryError"):
        worker.predict(RECORDS)


def test_a_worker_that_ends_is_started_again_but_not_at_once(start: Start) -> None:
    worker = start(fitted("Crashing"))
    assert len(worker.predict(RECORDS).probabilities) == len(RECORDS)
    with pytest.raises(SandboxError, match="its process ended with status 3"):
        worker.predict([RECORDS[0], RECORDS[0] | {"Name": CRASH["Name"]}])
    with pytest.raises(SandboxError, match="its process has ended and isn't started again yet"):
        worker.predict(RECORDS)
    worker._not_before = 0
    assert len(worker.predict(RECORDS).probabilities) == len(RECORDS)


def test_a_worker_that_never_answers_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CALL_SECONDS", 8)
    with pytest.raises(SandboxError, match="it used up its CPU time and was ended"):
        start(fitted("Endless")).predict(RECORDS)


def test_a_worker_that_comes_to_a_standstill_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = start(fitted("Crashing"))
    monkeypatch.setattr(sandbox, "IDLE_SECONDS", 3)
    psutil.Process(worker._process.pid).suspend()
    with pytest.raises(SandboxError, match="it used no CPU for 3 s and was ended"):
        worker.predict(RECORDS)


def test_a_model_that_cannot_be_loaded_is_refused(start: Start) -> None:
    with pytest.raises(SandboxError, match=r"a model: contains types that aren't trusted: .*Stranger"):
        start(Stranger())
