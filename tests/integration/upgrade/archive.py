"""Archives of old installations: databases as SQL and files, with ``@STATE@`` for the folder that they were in."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from devstack.postgres import Postgres
from devstack.state import State
from tests.integration.upgrade.snapshot import Snapshot

HERE = Path(__file__).parent
PLAIN = HERE / "plain"
RELEASE = HERE / "seeds" / "e5f6973.tar.xz"
AIRFLOW_3_2 = HERE / "seeds" / "airflow-3.2.tar.xz"

PLACE = "@STATE@"
BEFORE = "before.json"
TEXTS = (BEFORE,)
FERNET_KEY = base64.urlsafe_b64encode(b"rehearsal-of-an-upgrade-32-byte!").decode()
RECIPE = "toadstool"
WAITING = "2024-06-08T00:00:00Z"
"""Logical date of the run that waits while Airflow is upgraded."""


def keep_fixed_secrets(state: State) -> None:
    """Give a new state folder the key with which the archives' connections and variables are encrypted."""
    (state.root / "secrets.json").write_text(json.dumps({"fernet": FERNET_KEY}))


def write(archive: Path, state: State, postgres: Postgres, databases: Iterable[str], folders: Iterable[str]) -> None:
    """Write the databases, the files at the top and those in the folders of a state folder to ``archive``."""
    for database in databases:
        postgres.dump(database, state.root / f"{database}.sql")
    texts = [path for path in state.root.iterdir() if path.name in TEXTS or path.suffix == ".sql"]
    files = [path for folder in folders for path in (state.root / folder).rglob("*") if path.is_file()]
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in sorted((*texts, *files)):
            content = path.read_bytes()
            if path in texts:
                content = content.replace(str(state.root).encode(), PLACE.encode())
            member = tarfile.TarInfo(str(path.relative_to(state.root)))
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))


def unpack(archive: Path, root: Path) -> Snapshot:
    """Make the new folder ``root`` the state folder of the old installation; return what its API showed."""
    state = State.open(root)
    keep_fixed_secrets(state)
    postgres = Postgres.of(state)  # stopped without losing what was restored
    postgres.start()
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="data")
        for dump in sorted(root.glob("*.sql")):
            restore(dump, postgres, dump.stem, root)
            dump.unlink()
    finally:
        postgres.stop()
    before = (root / BEFORE).read_text().replace(PLACE, str(root))
    snapshot: Snapshot = json.loads(before)
    return snapshot


def restore_database(archive: Path, database: str, postgres: Postgres, name: str, folder: Path) -> None:
    """Restore one database of ``archive`` as ``name``; ``folder`` is for its dump."""
    with tarfile.open(archive) as tar:
        tar.extract(f"{database}.sql", folder, filter="data")
    restore(folder / f"{database}.sql", postgres, name, folder)


def restore(dump: Path, postgres: Postgres, name: str, root: Path) -> None:
    """Create the database ``name`` from a dump, in which ``root`` replaces the old state folder."""
    dump.write_text(dump.read_text().replace(PLACE, str(root)))
    postgres.create_database(name)
    postgres.restore(name, dump)
