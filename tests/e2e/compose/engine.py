"""A container engine to run the stack on, and its images; or the reason why there is none."""

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
REQUIRED = "SPELLBOOK_REQUIRE_ENGINE"


def missing() -> str | None:
    """Say why containers can't be run here; ``None`` if they can."""
    if shutil.which("docker") is None:
        return "there is no `docker`; install Docker Engine 25 or later with Compose 2.24 or later"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    return None


def is_required() -> bool:
    """Tell whether a missing engine is an error (``SPELLBOOK_REQUIRE_ENGINE=1``), as where one is expected."""
    return os.environ.get(REQUIRED, "") not in {"", "0"}


def provide(images: Iterable[str]) -> dict[str, str]:
    """Have every image here; return by image what stands in for it where the image itself can't be pulled.

    Without a registry, another tag of the same image that is itself a stand-in serves, or one made of Debian's package.

    Raises:
        AssertionError: if an image can't be had, with the reason.
    """
    stood_in = {}
    for image in sorted(set(images)):
        repository = image.rpartition(":")[0]
        if _label(image) is not None or _docker("pull", "--quiet", image).returncode == 0:
            pass
        elif _label(f"{repository}:latest"):
            assert _docker("tag", f"{repository}:latest", image).returncode == 0
        else:
            assert repository in DEBIAN, f"{image} can't be pulled, and no package of Debian's stands in for it"
            package = f"--build-arg=PACKAGE={DEBIAN[repository]}"
            built = _docker(
                "build", "--quiet", f"--label={STANDIN_LABEL}=true", package, f"--tag={image}", str(STANDINS)
            )
            assert built.returncode == 0, f"{image} can't be pulled, and nothing stands in for it:\n{built.stderr}"
        if _label(image):
            stood_in[image] = "a stand-in"
    return stood_in


def _label(image: str) -> str | None:
    """Return the stand-in label of an image, empty if it has none; ``None`` if the image isn't here."""
    asked = _docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{STANDIN_LABEL}"}}}}', image)
    return asked.stdout.strip().replace("<no value>", "") if asked.returncode == 0 else None


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=1200)
