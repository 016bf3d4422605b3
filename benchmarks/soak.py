"""Repeated cold starts: how many succeed, and how long they take.

`make soak`; with ``RUNS=20 BUSY=4`` under load. Each is `make run` of the weather pipeline without the stack's data, as
for a new user, but with the packages installed. The output of a failed start is kept.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.state import REPOSITORY, STATE_VARIABLE

SPIN = "while True: pass"


def main() -> int:
    """Run the cold starts, print a line for each and a summary; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="cold starts (default: %(default)s)")
    parser.add_argument("--busy", type=int, default=0, help="programs that keep cores busy (default: %(default)s)")
    arguments = parser.parse_args()
    seconds, failures = [], 0
    with tempfile.TemporaryDirectory(prefix="spellbook-soak-") as folder, _busy(arguments.busy):
        Path(folder).chmod(0o755)
        environment = os.environ | {STATE_VARIABLE: f"{folder}/state"}
        for number in range(1, arguments.runs + 1):
            started_at = time.perf_counter()
            result = _devstack("run", environment)
            elapsed = time.perf_counter() - started_at
            _devstack("clean", environment)
            colour = "red" if result.returncode else "green"
            print(f"{number}/{arguments.runs} {colour} {elapsed:.1f} s", flush=True)
            if result.returncode:
                failures += 1
                log = Path(tempfile.gettempdir()) / f"spellbook-soak-{os.getpid()}-{number}.log"
                log.write_text(result.stdout)
                print(f"  output: {log}\n  {result.stdout.strip().splitlines()[-1]}", flush=True)
            else:
                seconds.append(elapsed)
    green = len(seconds)
    spread = f"; median {statistics.median(seconds):.1f} s, {min(seconds):.1f} to {max(seconds):.1f}" if seconds else ""
    print(f"{green} of {arguments.runs} green, {arguments.busy} busy programs in parallel{spread}")
    return int(failures > 0)


def _devstack(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devstack", command],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@contextmanager
def _busy(count: int) -> Iterator[None]:
    programs = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


if __name__ == "__main__":
    sys.exit(main())
