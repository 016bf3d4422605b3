"""Checks of the checkout: locks, installed packages, permissions, plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from devstack.doctor.setup import Problem, Setup

LOCKS = {"requirements.in": "requirements.txt", "requirements/dev.in": "requirements/dev.txt"}
LOAD = "import airflow_local_settings, spellbook_plugin"
SHOWN = 3


def locks(setup: Setup) -> Iterator[Problem]:
    """Each lock has a version of every package that is asked for, and one that is allowed."""
    for source, lock in LOCKS.items():
        locked = {canonicalize_name(pin.name): pin for pin in _requirements(setup.root / lock)}
        stale = [
            wanted
            for wanted in _requirements(setup.root / source)
            if not (pin := locked.get(canonicalize_name(wanted.name)))
            or not wanted.specifier.contains(_version(pin), prereleases=True)
        ]
        if stale:
            yield Problem(
                f"{lock} is out of date with {source}: {', '.join(map(str, stale[:SHOWN]))}",
                "`make lock`, and commit both files",
            )


def packages(setup: Setup) -> Iterator[Problem]:
    """The environment has the locked packages."""
    wrong = []
    for pin in _requirements(setup.root / "requirements/dev.txt"):
        if pin.marker is None or pin.marker.evaluate():
            try:
                installed = version(pin.name)
            except PackageNotFoundError:
                installed = "missing"
            if installed != _version(pin):
                wrong.append(f"{pin.name} {_version(pin)} (installed: {installed})")
    if wrong:
        yield Problem(
            f".venv isn't what requirements/dev.txt locks: {', '.join(wrong[:SHOWN])}",
            "`rm .venv/installed`, then `make install`",
        )


def permissions(setup: Setup) -> Iterator[Problem]:
    """Every DAG file can be read, and the folders that commands write to can be written."""
    for folder in (setup.root, setup.root / "dags", setup.root / "docs"):
        if not os.access(folder, os.W_OK):
            yield Problem(f"{folder} can't be written", f"`sudo chown -R $(id -u) '{setup.root}'`")
    for file in sorted((setup.root / "dags").rglob("*.py")):
        if not os.access(file, os.R_OK):
            yield Problem(f"{file.relative_to(setup.root)} can't be read", f"`chmod a+r '{file}'`")


def plugins(setup: Setup) -> Iterator[Problem]:
    """The plugins and policies can be imported: without them, Airflow's processes end or run without rules."""
    if not list((setup.root / "plugins").glob("*.dist-info/entry_points.txt")):
        yield Problem(
            "plugins/spellbook-….dist-info is missing, so Airflow doesn't know the connection types",
            "`git checkout plugins`",
        )
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.run(
            [sys.executable, "-c", LOAD],
            env={
                **os.environ,
                "AIRFLOW_HOME": home,
                "AIRFLOW_CONFIG": str(setup.root / "airflow.cfg"),
                "PYTHONPATH": f"{setup.root}{os.pathsep}{setup.root / 'plugins'}",
            },
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        places = [line.strip() for line in lines if line.strip().startswith(f'File "{setup.root}')]
        yield Problem(
            f"the plugins can't be imported: {lines[-1]} ({places[-1] if places else 'no file of this checkout'})",
            "correct that line; `git diff plugins include` shows what changed",
        )


def _requirements(path: Path) -> Iterator[Requirement]:
    """Yield what a requirements file names; nothing for options, comments and hashes."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition(" #")[0].strip().removesuffix("\\").strip()
        if text and not text.startswith(("#", "-")):
            try:
                yield Requirement(text)
            except InvalidRequirement:
                continue


def _version(pin: Requirement) -> str:
    return next((specifier.version for specifier in pin.specifier), "")
