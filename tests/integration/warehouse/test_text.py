"""Any text is stored unchanged, or quarantined with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.core.warehouse.dataset import Rejected
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import DAY, FIRST, WEATHER, count, observation

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

POISON = [
    "'); DROP TABLE weather_data; --", "\"quoted\" and 'quoted'", "back\\slash \\N \\. \\x00", "tab\tnew\nline\r\n", "",
    "NULL", "🌩️ שלום 東京", "%s %(city)s {}", "\ufeffbom", "\u202eright to left",
]  # fmt: skip
UNSTORABLE = ["nul\0byte", "half \ud83c pair"]
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=20) | st.sampled_from(POISON + UNSTORABLE)


def stored(session: Session) -> dict[str, str]:
    rows = session.execute("SELECT city, conditions FROM weather_data").fetchall()
    return {str(city): str(conditions) for city, conditions in rows}


@pytest.mark.parametrize("text", POISON)
def test_special_characters_are_stored_unchanged(session: Session, text: str) -> None:
    load(session, WEATHER, partition=DAY, rows=[observation(f"city {text}", conditions=text)], attempt=FIRST)
    assert stored(session) == {f"city {text}": text}


@pytest.mark.parametrize("text", UNSTORABLE)
def test_text_that_postgresql_cannot_store_is_quarantined(session: Session, text: str) -> None:
    rows = [observation("London"), observation("Tokyo", conditions=text)]
    result = load(session, WEATHER, partition=DAY, rows=rows, attempt=FIRST, expected=["London", "Tokyo"])
    assert (result.loaded, result.quarantined, result.missing) == (1, 1, ("Tokyo",))
    [(row, reason)] = session.execute("SELECT source_row, reason FROM quarantine").fetchall()
    assert row == observation("Tokyo") | {
        "date": "2024-06-01", "conditions": text.replace("\0", "\\x00").replace("\ud83c", "\\ud83c"),
    }  # fmt: skip
    assert str(reason).startswith("conditions: the text contains a NUL character or a lone surrogate")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.dictionaries(anything, anything, max_size=6), refused=st.dictionaries(anything, anything, max_size=3))
def test_no_text_is_lost_changed_or_executed(session: Session, texts: dict[str, str], refused: dict[str, str]) -> None:
    rows = [observation(city, conditions=conditions) for city, conditions in texts.items()]
    rejected = [Rejected({name: {"deep": [value]}}, value) for name, value in refused.items()]
    if not rows + rejected:
        return
    result = load(session, WEATHER, partition=DAY, rows=rows, attempt=FIRST, rejected=rejected)
    clean = {city: text for city, text in texts.items() if _storable(city + text)}
    assert clean.items() <= stored(session).items()
    assert (result.loaded, result.quarantined) == (len(clean), len(rows) - len(clean) + len(rejected))
    assert count(session, "quarantine") == result.quarantined


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
