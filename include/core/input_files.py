"""Opens files that a person names: in a run's conf, in a source's YAML or on a command line."""

from __future__ import annotations

import re
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from include.core.csv_files.fetch import from_http, from_storage
from include.core.errors import ConfigurationError
from include.core.http.egress import PORTS, origin
from include.core.settings import SOURCE_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.core.storage import File

INBOX = "inbox"
SCHEMES = ("file", "s3", "gs", "abfs", *PORTS)
PSEUDO_FILES = ("/proc/", "/sys/")  # regular files according to their mode
LONGEST_URL = 2000


def allowed(name: str, url: str, root: File) -> str:
    """Return the URL of a file or folder that is in an allowed folder; symbolic links count as what they lead to.

    Args:
        name: the field or param with the URL, for messages.
        url: path or URL; a relative path is below ``inbox/`` of object storage.
        root: root of object storage.

    Raises:
        ConfigurationError: if it isn't in ``inbox/``, nor in a folder of ``SPELLBOOK_SOURCE_FOLDERS``.
    """
    if len(url) > LONGEST_URL or not url.isprintable() or ".." in re.split(r"[/\\]", unquote(url)):
        raise ConfigurationError(
            f"{name}: {url[:200]!r} isn't a path or URL without .., of at most {LONGEST_URL} characters"
        )
    inbox = str(root / INBOX)
    if "://" not in url and not url.startswith("/"):
        url = f"{inbox}/{url}"
    folders = [inbox, *filter(None, (folder.strip() for folder in SOURCE_FOLDERS.read().split(",")))]
    resolved = _resolved(url)
    if not any(_is_below(resolved, _resolved(folder)) for folder in folders):
        raise ConfigurationError(
            f"{name}: {url} isn't in an allowed folder: {', '.join(folders)}; add it to {SOURCE_FOLDERS.name}"
        )
    return resolved


@contextmanager
def opened(url: str, largest: int, open_path: Callable[[str], File] | None = None) -> Iterator[BinaryIO]:
    """Open a file on this machine, in a bucket or on an HTTP server, wherever it is; see :func:`allowed`.

    Args:
        url: path or URL.
        largest: maximum size in bytes.
        open_path: returns the path of an s3 URL; without it, none is opened.

    Raises:
        ConfigurationError: if the scheme isn't supported, or it isn't a regular file of that size.
        ForbiddenAddressError: if an HTTP server's address isn't public.
        UpstreamError: if an HTTP server doesn't return it.
        OSError: if there is no such file.
    """
    scheme, rest = split(url)
    if scheme in PORTS:
        with from_http(url, largest) as file:
            yield file
    elif scheme == "file":
        with _regular_file(Path(rest), largest) as file:
            yield file
    elif open_path is None:
        raise ConfigurationError(f"{url}: use a path, file://, http:// or https://")
    else:
        path = open_path(f"{scheme}://{rest}")
        _require_size(url, path.stat().st_size, largest)
        with from_storage(path) as file:
            yield file


def split(url: str) -> tuple[str, str]:
    """Return the scheme of a URL, in lower case, and what follows ``://``; ``file`` and the path for a path.

    Raises:
        ConfigurationError: if the scheme isn't supported, or is one of fsspec's chains such as ``simplecache::http``.
    """
    before, separator, rest = url.partition("://")
    scheme, rest = (before.lower(), rest) if separator else ("file", url)
    is_chained = "::" in rest and scheme not in PORTS  # in those, it is an IPv6 address
    is_relative = separator and scheme == "file" and not rest.startswith("/")
    if scheme not in SCHEMES or is_chained or is_relative:
        raise ConfigurationError(f"{url[:200]!r} isn't a path, or a URL like file:///…, s3://… or https://…")
    return scheme, rest


def is_http(url: str) -> bool:
    """Return whether ``url`` is an http(s) URL, in any letter case."""
    return split(url)[0] in PORTS


@contextmanager
def _regular_file(path: Path, largest: int) -> Iterator[BinaryIO]:
    status, is_pseudo = path.stat(), str(path.resolve()).startswith(PSEUDO_FILES)
    if is_pseudo or not stat.S_ISREG(status.st_mode):  # opening a pipe would block
        raise ConfigurationError(f"{path} is not a regular file")
    _require_size(str(path), status.st_size, largest)
    with path.open("rb") as file:
        yield file


def _require_size(url: str, size: int, largest: int) -> None:
    if size > largest:
        raise ConfigurationError(f"{url} has {size} bytes; at most {largest} are allowed")


def _resolved(url: str) -> str:
    """Return a URL in the form in which it can be compared with that of a folder."""
    scheme, rest = split(url)
    if scheme == "file":
        return str(Path(rest).resolve())
    if scheme in PORTS:
        parts = urlsplit(url)
        return f"{origin(url)}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return f"{scheme}://{rest}"


def _is_below(url: str, folder: str) -> bool:
    return url == folder.rstrip("/") or url.startswith(folder.rstrip("/") + "/")
