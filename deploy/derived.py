"""``python -m deploy.derived``: copy Python declarations into Compose, the Dockerfile and ``.env.example``.

Environment keys are declared in a ``settings.py`` below ``include``, secrets in ``deploy/compose/secrets.py``. A file
that must list them has a block for it: ``# NAME: written by `make fix```, the lines, ``# end of NAME``.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from deploy.compose.secrets import SECRETS
from include.settings import ENVIRONMENT

ROOT = Path(__file__).parent.parent
BASE, COMPOSE, DOCKERFILE, EXAMPLE = "deploy/compose/base.yaml", "docker-compose.yaml", "Dockerfile", ".env.example"
BLOCK = re.compile(
    r"^(?P<begin>(?P<indent> *)# (?P<name>\w+): written by `make fix`\n)(?:(?! *# \w+: written).*\n)*?"
    r"(?P<end> *# end of (?P=name)\n)",
    re.MULTILINE,
)


def texts() -> dict[str, str]:
    """Return the text that each file should have, by its path; keys already written by hand are skipped."""
    folders = _wrapped(", ".join(secret.name for secret in SECRETS)).replace(", ", ",").replace("\n", "\\\n")
    blocks = {
        BASE: {
            "environment": [
                f"{key.name}: ${{{key.name}:-}}"
                for key in ENVIRONMENT
                if f"\n      {key.name}:" not in _by_hand(BASE) and f"ENV {key.name}=" not in _by_hand(DOCKERFILE)
            ]
        },
        COMPOSE: {
            "values": [f"{secret.variable}: ${{{secret.variable}:-}}" for secret in SECRETS],
            "mounts": [f"- {secret.name}:/run/secrets/{secret.name}" for secret in SECRETS],
            "volumes": [f"{secret.name}:" for secret in SECRETS],
        },
        DOCKERFILE: {
            "folders": [
                "RUN install -d -o airflow -g 0 -m 0775 /opt/airflow/{logs,storage,state} /run/secrets/{\\",
                f"{folders}}}",
            ]
        },
        EXAMPLE: {
            "environment": [
                f"{_wrapped(key.doc, '# ')}\n#{key.name}={'' if key.default.startswith('file:') else key.default}"
                for key in ENVIRONMENT
                if f"#{key.name}=" not in _by_hand(EXAMPLE) and f"ENV {key.name}=" not in _by_hand(DOCKERFILE)
            ],
            "secrets": [f"#{secret.variable}=" for secret in SECRETS],
        },
    }
    return {path: _filled(_read(path), lines) for path, lines in blocks.items()}


def _filled(text: str, blocks: dict[str, list[str]]) -> str:
    def fill(block: re.Match[str]) -> str:
        lines = "".join(f"{block['indent']}{line}\n" for line in blocks[block["name"]])
        return f"{block['begin']}{lines}{block['end']}"

    return BLOCK.sub(fill, text)


def _by_hand(path: str) -> str:
    """Return a file's text without its blocks."""
    return BLOCK.sub("", _read(path))


def _wrapped(text: str, prefix: str = "") -> str:
    return textwrap.fill(
        text, 116, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False
    )


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


if __name__ == "__main__":
    for file, content in texts().items():
        (ROOT / file).write_text(content, encoding="utf-8")
