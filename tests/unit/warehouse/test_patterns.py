"""A pattern that DuckDB and PostgreSQL don't read alike is refused when it is declared."""

from __future__ import annotations

import pytest

from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.patterns import portable


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(a)\1", r"has '\\\\1', which isn't allowed; allowed: characters"),
        (r"\bword", r"has '\\\\bwo'"),
        (r"\pL+", r"has '\\\\pL\+'"),
        ("(?i)a", r"has '\(\?i\)'"),
        ("a(?=b)", r"has '\(\?=b'"),
        ("[[:alpha:]]", r"has '\[\[:a'"),
        ("[a-", r"has '\[a-'"),
        ("a^b", r"has '\^b'"),
        ("a$b", r"has '\$b'"),
        ("a{,3}", r"has '\{,3}'"),
        ("a\0", r"has '\\x00'"),
        ("[z-a]", r"'z-a' is in the wrong order"),
        (r"[a-\d]", r"in which '-\\\\' isn't allowed without"),
        ("a*?", r"has '\?' without a single item before it"),
        ("(a|*)", r"has '\*' without a single item before it"),
        ("a{2}{2}", r"has '\{2}' without a single item before it"),
        ("a{256}", r"the counts must increase, up to 255"),
        ("a{3,2}", r"the counts must increase"),
        ("((a{10}){10}){11}", "is larger than 1000 characters"),
        ("a{255}" * 4, "is larger than 1000 characters"),
        ("(a", r"has '\(' without '\)'"),
        ("a)", r"has '\)' without '\('"),
    ],
)
def test_a_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"dataset 'words': column 'word': the pattern .* {message}"):
        Dataset("words", (Column("word", "text", pattern=pattern),), key=("word",))


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (r"^[CA]?\d{6}$", "[CA]?[0-9]{6}"),
        (r"a\$", r"a\$"),
        (r"\\$", r"\\"),
        (r"(x|\S).", r"(?:x|[^\t\n\f\r ])[^\n]"),
        ("(?s).+", r"(?:[^\n]|\n)+"),
        (r"[a-z_.\w-]", r"[a-z_\.0-9A-Za-z_\-]"),
    ],
)
def test_what_differs_is_written_out(pattern: str, written: str) -> None:
    assert portable(pattern) == written
