"""The database server: who may connect, and which failures it survives."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from devstack.errors import StackError
from devstack.postgres import NO_PROCESS, Postgres, _binaries, _reachable
from devstack.state import free_port
from tests.integration.devstack.conftest import as_ordinary_user

PASSWORD = "p@ss:/?#[]!$&'()*+,;=% ü\"\\"


@pytest.fixture
def cluster(open_folder: Path) -> Iterator[Postgres]:
    server = Postgres(open_folder / "with space" / "postgres", free_port(), PASSWORD, durable=False)
    yield server
    server.remove()
    assert not server.log.parent.exists()


def test_only_the_password_and_this_machine_can_connect(cluster: Postgres) -> None:
    head = psutil.Process(cluster.start())
    with psycopg.connect(cluster.uri()) as connection:
        assert connection.info.password == PASSWORD
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = current_user").fetchone()
        addresses = connection.execute("SHOW listen_addresses").fetchone()
        sockets = connection.execute("SHOW unix_socket_directories").fetchone()
    assert stored
    assert stored[0].startswith("SCRAM-SHA-256$")
    for wrong in ("", "wrong", PASSWORD[:-1]):
        with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
            psycopg.connect(replace(cluster, password=wrong).uri())
    assert (addresses, sockets) == (("127.0.0.1",), ("",))
    if os.geteuid() == 0:
        assert head.username() == "nobody"


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_server_starts_again_with_its_data(cluster: Postgres, durable: bool) -> None:
    cluster = replace(cluster, durable=durable)
    head = psutil.Process(cluster.start())
    with psycopg.connect(cluster.uri()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS it")
    head.kill()
    assert (cluster.log.parent / "data" / "postmaster.pid").exists()
    cluster.start()
    with psycopg.connect(cluster.uri()) as connection:
        assert connection.execute("SELECT it FROM kept").fetchone() == (42,)


def test_a_lock_file_with_the_process_id_of_another_program_is_ignored(cluster: Postgres) -> None:
    psutil.Process(cluster.start()).kill()
    lock = cluster.log.parent / "data" / "postmaster.pid"
    _, *rest = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join((f"{os.getpid()}\n", *rest)))
    cluster.stop()  # doesn't stop the other program, which is this test
    cluster.start()
    assert int(lock.read_text().split()[0]) not in {os.getpid(), NO_PROCESS}


def test_a_cluster_that_initdb_did_not_finish_is_created_again(cluster: Postgres) -> None:
    home = cluster.log.parent
    for folder in (home / "data" / "base", home / "initdb-1" / "base"):
        folder.mkdir(parents=True)
    cluster.start()
    psycopg.connect(cluster.uri()).close()
    assert sorted(path.name for path in home.iterdir()) == ["data", "postgres.log"]


def test_a_taken_port_is_reported_with_the_servers_own_message(cluster: Postgres) -> None:
    with (
        socket.create_server(("127.0.0.1", cluster.port)),
        pytest.raises(StackError, match=rf"(?s)did not start on port {cluster.port}.*postgres\.log.*already in use"),
    ):
        cluster.start()


def test_databases_are_created_once(cluster: Postgres) -> None:
    cluster.start()
    assert cluster.create_database('odd "name"; --')
    assert not cluster.create_database('odd "name"; --')
    with psycopg.connect(cluster.uri("postgres")) as connection:
        assert connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'odd%'").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs under another account")
def test_as_root_below_a_folder_that_the_server_cannot_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    cluster = Postgres(tmp_path / "postgres", free_port(), PASSWORD, durable=False)
    home = cluster.log.parent
    try:
        cluster.start()
        psycopg.connect(cluster.uri()).close()
        assert tmp_path not in home.parents
    finally:
        cluster.remove()
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs under another account")
def test_as_root_with_programs_that_the_server_cannot_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _binaries().parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, tmp_path / folder.name, symlinks=True)
    tmp_path.chmod(0o700)
    hidden = tmp_path / _binaries().relative_to(package.parent)
    assert not _reachable(hidden)
    monkeypatch.setattr("devstack.postgres._binaries", lambda: hidden)
    server = Postgres(tmp_path / "postgres", free_port(), PASSWORD, durable=False)
    try:
        head = psutil.Process(server.start())
        assert not head.exe().startswith(str(tmp_path))
        assert server.create_database("one")
    finally:
        server.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works in a folder under /var/tmp")
def test_as_root_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    cluster = Postgres(tmp_path / "postgres", free_port(), PASSWORD, durable=False)
    home = cluster.log.parent
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.symlink_to(elsewhere)
    try:
        with pytest.raises(StackError, match=f"{home} belongs to another user; remove it"):
            cluster.start()
        assert elsewhere.stat().st_uid == 0
    finally:
        home.unlink()


@pytest.mark.skipif(
    os.geteuid() == 0 and not _reachable(_binaries()),
    reason="an ordinary user can't enter the folder that holds this Python environment",
)
def test_as_an_ordinary_user() -> None:
    code = """
with tempfile.TemporaryDirectory() as folder:
    cluster = Postgres(Path(folder) / "postgres", free_port(), "secret", durable=False)
    try:
        head = psutil.Process(cluster.start())
        assert head.uids().real == os.getuid() != 0
        with psycopg.connect(cluster.uri()) as connection:
            print(*connection.execute("SELECT 6 * 7").fetchone())
    finally:
        cluster.remove()
"""
    assert as_ordinary_user(code) == "42\n"


def test_a_database_is_the_same_after_dump_and_restore(postgres: Postgres, tmp_path: Path) -> None:
    dump = tmp_path / "a dump.sql"
    postgres.create_database("dumped")
    postgres.create_database("restored")
    with psycopg.connect(postgres.uri("dumped")) as connection:
        connection.execute("CREATE TABLE spell (id serial PRIMARY KEY, word text NOT NULL)")
        connection.execute("INSERT INTO spell (word) VALUES ('lumos'), ('größe; DROP')")
    postgres.dump("dumped", dump)
    postgres.restore("restored", dump)
    with psycopg.connect(postgres.uri("restored")) as connection:
        assert connection.execute("SELECT * FROM spell ORDER BY id").fetchall() == [(1, "lumos"), (2, "größe; DROP")]
        connection.execute("INSERT INTO spell (word) VALUES ('nox')")
        assert connection.execute("SELECT max(id) FROM spell").fetchone() == (3,)
    with pytest.raises(StackError, match=r'psql failed: .*relation "spell" already exists'):
        postgres.restore("restored", dump)
    with pytest.raises(StackError, match=r'pg_dump failed: .*database "missing" does not exist'):
        postgres.dump("missing", tmp_path / "other.sql")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["a dump.sql"]
