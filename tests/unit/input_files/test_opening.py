"""Which files a run's conf and a source's YAML may name, and how any that a person names is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from include.core.errors import ConfigurationError
from include.core.input_files import INBOX, allowed, opened
from include.core.settings import PRIVATE_NETWORKS, SOURCE_FOLDERS
from include.core.storage import url_of

SECRET = b"not for runs"
BUCKET = "s3://aws_default@bucket/in"
SERVER = "https://files.example.com/in"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """Object storage with a file in its inbox, an allowed folder, and a file outside of both."""
    for folder in ("storage/inbox", "storage/handoff", "in", "in2"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "list.csv").write_bytes(b"rows" if folder in {"storage/inbox", "in"} else SECRET)
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "in2" / "list.csv")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "in2")
    (tmp_path / "storage" / INBOX / "link.csv").symlink_to("/proc/self/environ")
    monkeypatch.setenv(SOURCE_FOLDERS.name, f"{tmp_path}/in, {BUCKET}, {SERVER}, http://[2001:db8::1]/")
    monkeypatch.chdir(tmp_path)
    return UPath(url_of(tmp_path / "storage"))


def read(url: str, root: UPath) -> bytes:
    with opened(allowed("param file", url, root), 1_000_000, UPath) as file:
        return file.read()


def test_a_file_in_an_allowed_folder_is_opened(root: UPath, tmp_path: Path) -> None:
    assert read("list.csv", root) == b"rows"
    for url in (f"{tmp_path}/in/list.csv", url_of(tmp_path / "in/list.csv"), f"File://{tmp_path}/in/list.csv"):
        assert read(url, root) == b"rows"
    for url, normalized in {
        f"{BUCKET}/a/b.csv": f"{BUCKET}/a/b.csv",
        f"S{BUCKET[1:]}/x": f"{BUCKET}/x",
        f"{SERVER}/a%20b.csv?v=1": "https://files.example.com:443/in/a%20b.csv?v=1",
        "HTTPS://Files.Example.com:443/in/x": "https://files.example.com:443/in/x",
        "http://[2001:db8::1]:80/x": "http://[2001:db8::1]:80/x",
    }.items():
        assert allowed("param file", url, root) == normalized


REFUSED = [
    "/etc/passwd",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file:/etc/passwd",
    "file:etc/passwd",
    "file://localhost/etc/passwd",
    "file://etc/passwd",
    "local:///etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "//etc/passwd",
    "../handoff/list.csv",
    "..",
    "a/../../handoff/list.csv",
    "%2e%2e/handoff/list.csv",
    "..\\handoff\\list.csv",
    "link.csv",
    "{tmp}/in/link.csv",
    "{tmp}/in/folder/list.csv",
    "{tmp}/in2/list.csv",
    "{tmp}/in/../in2/list.csv",
    "{tmp}/storage/handoff/list.csv",
    "{tmp}",
    "s3://aws_default@bucket/inner/x",
    "s3://aws_default@bucket/in/../x",
    "s3://aws_default@bucket2/in/x",
    "s3://bucket/in/x",
    "s3://other@bucket/in/x",
    "S3://aws_default@other/in/x",
    "s3a://aws_default@bucket/in/x",
    f"{BUCKET}/x::file:///etc/passwd",
    f"simplecache::{BUCKET}/x",
    f"filecache::{SERVER}/x",
    "simplecache::http://169.254.169.254/latest/meta-data",
    "simplecache::file:///etc/passwd",
    "zip://list.csv::file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "HTTP://127.0.0.1:8080/",
    "http://files.example.com/in/x",
    "https://files.example.com:8443/in/x",
    "https://files.example.com/out/x",
    "https://files.example.com/in/../out/x",
    "https://files.example.com/in/%2E%2e/out/x",
    "https://files.example.com.evil.org/in/x",
    "https://files.example.com@evil.org/in/x",
    "https://evil.org\\@files.example.com/in/x",
    "https://evil.org#@files.example.com/in/x",
    "https:/files.example.com/in/x",
    " https://files.example.com/in/x",
    "ftp://x/y",
    "data:text/csv,a",
    "data://text/csv,a",
    "memory://x",
    "github://owner:repo@/x",  # pragma: allowlist secret
    "list.csv\0",
    "list.csv\n",
    "",
    "x" * 3000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_no_other_file_is_opened(root: UPath, tmp_path: Path, url: str) -> None:
    with pytest.raises((ConfigurationError, FileNotFoundError)) as caught:
        read(url.format(tmp=tmp_path), root)
    assert len(str(caught.value)) < 1000
    assert SECRET.decode() not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "/", "//", "\\", "%2e", ":", "::", "file", "s3", "in2", "in", "link.csv",
                                 "list.csv", "handoff", "folder", "etc", "passwd", "~", "@", "#", "?"])))  # fmt: skip
def test_no_combination_leaves_the_folders(root: UPath, pieces: list[str]) -> None:
    for prefix in ("", "file://", f"{Path.cwd()}/", f"{Path.cwd()}/in/"):
        try:
            content = read(prefix + "".join(pieces), root)
        except (ConfigurationError, OSError):
            continue
        assert content == b"rows"


def test_the_error_names_the_param_and_the_allowed_folders(root: UPath, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        allowed("param file", "/etc/passwd", root)
    assert str(caught.value) == (
        f"param file: /etc/passwd isn't in an allowed folder: {root}/inbox, {tmp_path}/in, {BUCKET}, {SERVER},"
        " http://[2001:db8::1]/; add it to SPELLBOOK_SOURCE_FOLDERS"
    )


@pytest.fixture
def odd_files(tmp_path: Path) -> list[str]:
    """Files that aren't regular."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe_link").symlink_to(tmp_path / "pipe")
    (tmp_path / "zero_link").symlink_to("/dev/zero")
    return [str(tmp_path), f"{tmp_path}/pipe", f"{tmp_path}/pipe_link", f"{tmp_path}/zero_link", "/dev/zero"]


def test_only_a_regular_file_of_limited_size_is_opened(
    tmp_path: Path, odd_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PRIVATE_NETWORKS.name, "")
    (tmp_path / "large").write_bytes(b"x" * 101)
    with pytest.raises(ConfigurationError, match="large has 101 bytes; at most 100 are allowed"):
        opened(f"{tmp_path}/large", 100).__enter__()
    for name in (*odd_files, "/proc/self/environ"):
        with pytest.raises(ConfigurationError, match="is not a regular file"):
            opened(name, 100).__enter__()
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1, which is not a public address"):
        opened("HTTP://127.0.0.1:9/x", 100).__enter__()
    for url in (BUCKET, "memory://x", "simplecache::http://127.0.0.1:9/x"):
        with pytest.raises(ConfigurationError, match=r"use a path, file://|isn't a path, or a URL like"):
            opened(url, 100).__enter__()
