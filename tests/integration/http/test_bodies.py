"""Bodies as they arrive: cut, compressed, in another encoding, or with an absurd Retry-After."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zlib
from collections.abc import Callable

import pytest

from include.core.csv_files.dialect import CsvError
from include.core.csv_files.fetch import as_text, from_http, head
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from tests.integration.http.answers import answering

LIMITS = Limits(deadline=30, connect=20, silence=20, size=10_000, backoff=60)  # a single try
CITY = '{"name": "Café Zürich"}'
ROWS = b"id,name\n" + b"".join(b"%d,name of row %d\n" % (number, number) for number in range(2000))

Get = Callable[[str], str]


def sync_get(url: str) -> str:
    return HttpApi("Sample", Egress.to(url), None, LIMITS).get(url).text


def async_get(url: str) -> str:
    return asyncio.run(HttpApi("Sample", Egress.to(url), None, LIMITS).once("GET", url)).text


each_way = pytest.mark.parametrize("get", [sync_get, async_get])


def download(url: str, largest: int = 1_000_000) -> bytes:
    with from_http(url, largest) as file:
        return file.read()


@each_way
@pytest.mark.parametrize("content_type", ["text/plain", "text/json", "application/json; charset=iso-8859-1"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_json_is_utf_8_whatever_its_content_type_says(get: Get, content_type: str, start: bytes) -> None:
    with answering(start + CITY.encode(), content_type=content_type) as url:
        assert get(url) == CITY


@each_way
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (CITY.encode("latin-1"), r"isn't UTF-8: byte 0xe9 at position 13"),
        (CITY.encode("utf-16"), r"isn't UTF-8: byte 0xff at position 0"),
    ],
)
def test_other_encodings_are_refused(get: Get, body: bytes, message: str) -> None:
    with answering(body, content_type="application/json") as url, pytest.raises(PermanentUpstreamError, match=message):
        get(url)


@each_way
def test_the_reason_of_an_error_is_shown_in_any_encoding(get: Get) -> None:
    body = '{"message": "café"}'.encode("latin-1")
    with answering(body, 400) as url, pytest.raises(PermanentUpstreamError, match=r"answered 400 .*caf\\\\?xe9"):
        get(url)


@each_way
def test_a_compressed_body(get: Get) -> None:
    with answering(gzip.compress(CITY.encode()), content_encoding="gzip") as url:
        assert get(url) == CITY
    cut = gzip.compress(CITY.encode())[:-8]  # all of the text, without its checksum
    with answering(cut, content_encoding="gzip") as url, pytest.raises(TransientUpstreamError, match="gzip body is"):
        get(url)
    bomb = gzip.compress(json.dumps(" " * 1_000_000).encode())
    with answering(bomb, content_encoding="gzip") as url, pytest.raises(PermanentUpstreamError, match="larger than 10"):
        get(url)
    with (
        answering(zlib.compress(CITY.encode()), content_encoding="deflate") as url,
        pytest.raises(
            PermanentUpstreamError, match=r"Content-Encoding 'deflate' isn't supported; allowed: gzip, ident"
        ),
    ):
        get(url)


@each_way
def test_a_body_that_ends_within_a_character_is_retried(get: Get) -> None:
    with answering(CITY.encode()[:14]) as url, pytest.raises(TransientUpstreamError, match="ends within a character"):
        get(url)


def test_a_compressed_file() -> None:
    compressed = gzip.compress(ROWS)
    with answering(compressed, content_encoding="gzip", content_type="text/csv") as url:
        assert download(url) == ROWS
        with pytest.raises(PermanentUpstreamError, match=f"larger than {len(compressed)} bytes"):
            download(url, len(compressed))
    with answering(compressed) as url:
        assert download(url) == compressed


@pytest.mark.parametrize("cut", [1, 8, 2000])
def test_a_cut_compressed_file_is_not_read(cut: int) -> None:
    with (
        answering(gzip.compress(ROWS)[:-cut], content_encoding="gzip", content_type="text/csv") as url,
        pytest.raises(TransientUpstreamError, match="the gzip body is truncated or corrupt"),
    ):
        download(url)


def test_a_corrupt_or_short_file_is_not_read() -> None:
    compressed = bytearray(gzip.compress(ROWS))
    compressed[-6] ^= 1  # in the checksum
    with (
        answering(bytes(compressed), content_encoding="gzip") as url,
        pytest.raises(TransientUpstreamError, match="truncated or corrupt: CRC check failed"),
    ):
        download(url)
    with (
        answering(ROWS, content_length="99999") as url,
        pytest.raises(TransientUpstreamError, match="peer closed connection"),
    ):
        download(url)
    with answering(ROWS, content_encoding="br") as url, pytest.raises(PermanentUpstreamError, match="'br' isn't supp"):
        download(url)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404])
def test_a_refused_download_says_which_url_to_use(status: int) -> None:
    with (
        answering(b"<p>moved</p>", status, location="http://127.0.0.1:1/") as url,
        pytest.raises(PermanentUpstreamError, match=f"answered {status} for .*: moved; use the URL of the file itself"),
    ):
        download(url)


def test_a_busy_file_server_is_a_transient_error() -> None:
    with answering(b"", 503, retry_after="7") as url, pytest.raises(TransientUpstreamError, match="wait 7 s") as caught:
        download(url)
    assert caught.value.retry_after == 7


@each_way
@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("100000000000000000000", r"1e\+20 s"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", r"2\.\S+e\+11 s"),
        ("9" * 400, r"inf s"),
    ],
)
def test_an_absurd_retry_after_is_capped(get: Get, value: str, asked: str) -> None:
    with (
        answering(b"{}", 429, retry_after=value) as url,
        pytest.raises(TransientUpstreamError, match=rf"it asks to wait {asked}; the maximum of 3600 s is") as caught,
    ):
        get(url)
    assert caught.value.retry_after == 3600


@each_way
@pytest.mark.parametrize("value", ["-5", "soon", "1e3", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"])
def test_a_retry_after_that_cannot_be_read_is_ignored(get: Get, value: str) -> None:
    with answering(b"{}", 429, retry_after=value) as url, pytest.raises(TransientUpstreamError) as caught:
        get(url)
    assert caught.value.retry_after is None


def test_a_corrupt_gzip_file_is_named() -> None:
    with pytest.raises(CsvError, match=r"can't be read as utf-8: Error -3 while decompressing"):
        head(as_text(io.BytesIO(gzip.compress(ROWS)[:20] + b"x" * 100), "utf-8"), 1)
