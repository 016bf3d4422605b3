"""Spark for the embedded stack: a virtual environment of its own, and a standalone cluster of two processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from devstack import process
from devstack.errors import StackError
from devstack.state import REPOSITORY, free_port
from include.domains.sessions import settings

VENV = REPOSITORY / ".venv-spark"
HOME = VENV / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/pyspark"
LOCK = REPOSITORY / "requirements/spark.txt"
# Small jobs end before the JVM's second compiler has paid for itself.
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def environment(path: str) -> dict[str, str]:
    """Return the environment of a process that calls ``spark-submit``; ``path`` is its current ``PATH``."""
    return {
        "PATH": f"{path}{os.pathsep}{HOME / 'bin'}",
        "SPARK_HOME": str(HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": str(VENV / "bin/python"),
        "JDK_JAVA_OPTIONS": os.environ.get("JDK_JAVA_OPTIONS") or JAVA_OPTIONS,
        settings.SPARK_PARTITIONS.name: os.environ.get(settings.SPARK_PARTITIONS.name) or "2",
    }


def has_java() -> bool:
    """Tell whether Java is installed where Spark looks for it."""
    home = os.environ.get("JAVA_HOME")
    return os.access(Path(home, "bin/java"), os.X_OK) if home else shutil.which("java") is not None


def install(say: Callable[[str], None]) -> None:
    """Create Spark's virtual environment if it is missing or older than its lock file.

    Raises:
        StackError: if there is no Java, or the installation fails.
    """
    if not has_java():
        raise StackError("Spark needs Java 17 or 21, which is not installed (Debian: default-jre-headless)")
    marker = VENV / "installed"
    if marker.exists() and marker.stat().st_mtime >= LOCK.stat().st_mtime:
        return
    say("spark: installing into .venv-spark, once; about 450 MB")
    result = subprocess.run([REPOSITORY / ".ci/install", "spark"], capture_output=True, text=True, check=False)
    if result.returncode:
        raise StackError(f"Spark could not be installed:\n{result.stdout}{result.stderr}")


@contextmanager
def cluster(directory: Path, values: Mapping[str, str], timeout: float = 120) -> Iterator[str]:
    """Run a standalone master and a worker of one core and 1 GB; yield the master's URL.

    Args:
        directory: for logs and the executors' working files.
        values: the processes' environment, including that of :func:`environment`.
        timeout: seconds within which the worker must register.

    Raises:
        StackError: with the end of the log if it doesn't.
    """
    port, master_ui, worker_ui = free_port(), free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    start_master = [str(HOME / "bin/spark-class"), "org.apache.spark.deploy.master.Master"]
    master_options = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(master_ui)]
    worker_options = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", str(worker_ui)]
    worker_options += ["--work-dir", str(directory / "work"), master]
    log = directory / "cluster.log"
    commands = [
        [*start_master, *master_options],
        [start_master[0], "org.apache.spark.deploy.worker.Worker", *worker_options],
    ]
    started: list[int] = []
    try:
        deadline = time.monotonic() + timeout
        for command, ready_line in zip(
            commands, ("I have been elected leader", "Successfully registered"), strict=True
        ):
            started.append(process.spawn(command, log, values, directory))
            while ready_line not in log.read_text(errors="replace"):
                if time.monotonic() > deadline:
                    raise StackError(f"no {ready_line!r} in {log} after {timeout:.0f} s:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
        yield master
    finally:
        for pid in reversed(started):
            if psutil.pid_exists(pid):
                process.stop(psutil.Process(pid))
