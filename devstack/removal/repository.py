"""The repository's files, as a removal sees them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from devstack.removal import python_files
from devstack.state import REPOSITORY

DATA_README = "include/data/README.md"
NOT_CUT = (
    ".ci/",
    ".secrets.baseline",
    "LICENSE",
    "benchmarks/results/",
    "docs/DAGS.md",
    "docs/datasets.md",
    "docs/performance.md",
    "docs/reference.md",
    "include/data/",
    "include/dbt/manifest.json",
    "requirements",
    "tests/gate/planted/",
)
"""Files that are generated, must not be edited, or are invalid on purpose."""


@dataclass(frozen=True)
class Repository:
    """The files of a folder that git tracks, or would unless ignored."""

    root: Path = REPOSITORY

    def files(self, *patterns: str) -> list[str]:
        """Return the paths that match one of the patterns, or all paths without patterns."""
        paths = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        return sorted({path for path in paths if path and (self.root / path).is_file()})

    def read(self, path: str) -> str:
        """Return a file's text; empty if it is binary."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return ""

    def imports(self, path: str) -> set[str]:
        """Return the dotted names that a Python file imports."""
        return _imports(self.read(path))

    def is_cut(self, path: str) -> bool:
        """Tell whether a removal may edit a file."""
        return not path.startswith(NOT_CUT) or path == DATA_README

    def remove(self, name: str) -> None:
        """Delete a file or folder, and the folders that become empty."""
        target = self.root / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == self.root or any(path.name != "__pycache__" for path in folder.iterdir()):
                break
            shutil.rmtree(folder)


def module_of(path: str) -> str:
    """Return the dotted module name of a Python file."""
    parts = PurePosixPath(path.removeprefix("plugins/")).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _imports(text: str) -> set[str]:
    return python_files.imported(text)
