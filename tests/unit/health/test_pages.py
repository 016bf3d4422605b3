"""The pages of Data health as HTML: values stay text, links stay in Airflow, charts stay in their frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest

from include.core.warehouse.connect import Session
from include.core.warehouse.dataset import NUMBERS, Chart, Column, Dataset
from include.ops.health.alerts import Message
from include.ops.health.detail import Measure, RejectedRow
from include.ops.health.loads import Load
from include.ops.health.models import Drift, Segment, Verdict, Version
from include.ops.health.overview import ALLOWED_SHARE, Health, State
from include.ops.health.reading import Reader, UnavailableError
from spellbook.ui.app import HEADERS
from spellbook.ui.render import Links, render, span
from spellbook.ui.svg import line_chart, sparkline

EVIL = """</td><script>alert("x")</script><img src=x onerror='alert(1)'>"""
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DATASET = Dataset(
    "readings",
    (
        Column("day", "date"),
        Column("place", "text", doc=EVIL, allowed=(EVIL,)),
        Column("value", "double precision", minimum=0),
    ),
    ("day", "place"),
    partition="day",
    freshness=timedelta(days=1),
    chart=Chart("day", "value", "place"),
)
LOAD = Load(1, "readings", EVIL, EVIL, EVIL, 3, 2, 1, 2, 0, False, [EVIL], None, NOW)
HEALTH = Health(DATASET, State.LATE, NOW, timedelta(days=3), 3, 1, 2, 1, LOAD, frozenset({EVIL}))
MEASURE = Measure(EVIL, [("a", 1.0), ("b", 5.0), ("c", 3.0)], 1.0, 5.0)
LINES = {EVIL: [(739_000.0, 1.0), (739_001.0, 2.0)], "Oslo": [(739_000.0, -4.5)]}
MESSAGE = Message(1, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, NOW, NOW, 1, True, None, EVIL, EVIL, EVIL, None)
SEGMENT = Segment(NOW.date(), EVIL, 1, EVIL, 10, 5, 0.8, None, 0.7, True)
DRIFT = Drift(NOW.date(), EVIL, 1, EVIL, EVIL, 10, 1.0, 2.0, None, None, False)
VERDICT = Verdict(EVIL, EVIL, NOW, [{"name": EVIL, "passed": False, "details": EVIL}])
NEIGHBOURS = {"upstream": [EVIL], "publishers": {EVIL: EVIL}, "consumers": [EVIL], "downstream": [EVIL]}
PAGES: dict[str, dict[str, Any]] = {
    "datasets.html": {"healths": [HEALTH], "counts": {State.LATE: 1}, "readable": {EVIL}, "allowed": ALLOWED_SHARE},
    "dataset.html": {
        "dataset": DATASET,
        "health": HEALTH,
        "rows": [("2026-11-28", EVIL, None)],
        "numbers": NUMBERS,
        "rejected": [RejectedRow(EVIL, EVIL, EVIL, EVIL, EVIL, NOW)],
        "loads": [LOAD],
        "measures": [(MEASURE, sparkline(MEASURE))],
        "chart": line_chart(LINES, is_number=False),
        "neighbours": NEIGHBOURS,
        "readable": {EVIL},
        "allowed": ALLOWED_SHARE,
    },
    "models.html": {
        "versions": [Version(EVIL, 1, NOW)],
        "verdicts": [VERDICT],
        "segments": [SEGMENT],
        "drifts": [DRIFT],
    },
    "alerts.html": {
        "waiting": [MESSAGE],
        "recent": [replace(MESSAGE, sent_at=NOW, kept_back=EVIL)],
        "drained_at": NOW,
        "readable": {EVIL},
    },
    "unavailable.html": {"reason": EVIL},
    "missing.html": {},
}


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Tags:
    values = {"title": EVIL, "links": Links("/air/data-health"), "now": NOW}
    return Tags(render(request.param, **values, **PAGES[request.param]))


def test_what_others_wrote_stays_text(page: Tags) -> None:
    scripts = [attributes for tag, attributes in page.found if tag == "script"]
    assert scripts == [{"src": "/air/data-health/static/frame.js", "defer": None}]
    assert "img" not in {tag for tag, _ in page.found}
    assert EVIL in page.text


def test_a_page_works_under_its_content_security_policy(page: Tags) -> None:
    for tag, attributes in page.found:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert all((attributes.get(name) or "/air/").startswith("/air/") for name in ("href", "src"))
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_an_address_of_a_runbook_that_is_no_url_is_no_link() -> None:
    values = PAGES["dataset.html"] | {"neighbours": NEIGHBOURS | {"publishers": {"dag": "javascript:alert(1)"}}}
    html = render("dataset.html", title="t", links=Links("/data-health"), now=NOW, **values)
    assert 'href="javascript' not in html


def test_ids_are_quoted_in_links() -> None:
    assert Links("/a/data-health").run("dag/../x?", "manual__2026-01-01T00:00:00+00:00") == (
        "/a/dags/dag%2F..%2Fx%3F/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize(
    "lines",
    [{"one": [(1.0, 2.0)]}, {"flat": [(1.0, 0.0), (2.0, 0.0)]}, {"a": [(1.0, -1e9), (400.0, 1e9)]}, LINES],
    ids=["one point", "flat", "large", "two lines"],
)
def test_a_chart_stays_in_its_frame(lines: dict[str, list[tuple[float, float]]]) -> None:
    chart = line_chart(lines, is_number=True)
    for line in chart.lines:
        for x, y in line.dots:
            assert chart.left <= x <= chart.right
            assert 0 <= y <= chart.bottom
    assert 2 <= len(chart.y_ticks) <= 12


def test_no_line_is_drawn_over_a_gap() -> None:
    days = [(float(day), 1.0) for day in (1, 2, 3, 400, 401)]
    [line] = line_chart({"Oslo": days}, is_number=False).lines
    assert [len(piece.split()) for piece in line.pieces] == [3, 2]


def test_the_band_of_a_sparkline_is_the_range_before_the_newest_load() -> None:
    line = sparkline(Measure("rows", [("a", 10.0), ("b", 20.0), ("c", 0.0)], 10.0, 20.0))
    assert line.band_top + line.band_height < line.last[1] <= line.height
    assert sparkline(Measure("rows", [("a", 3.0)], None, None)).band_height == 0


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (61, "1 h 1 min"), (1440, "1 d"), (1830, "1 d 6 h"), (20000, "13 d")]
)
def test_durations_are_short(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words


def test_a_result_is_kept_for_seconds_also_an_error() -> None:
    calls: list[str] = []

    def find() -> str:
        calls.append("asked")
        raise UnavailableError("none here")

    reader = Reader(find)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="none here"):
            reader.read("key", lambda _: 1)
    assert calls == ["asked"]


def test_a_reason_holds_no_secret() -> None:
    reader = Reader(lambda: "postgresql://reader:dont-show@/x?host=/nowhere")

    def query(_: Session) -> int:
        raise psycopg.OperationalError("not reached")

    with pytest.raises(UnavailableError) as caught:
        reader.read("key", query)
    assert "dont-show" not in str(caught.value)
    assert "OperationalError" in str(caught.value)
