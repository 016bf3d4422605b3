"""Which files and days a run processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from include.core.errors import ConfigurationError
from include.domains.retail.files import find, land, requested_days


@pytest.mark.parametrize(
    ("param", "extras", "expected"),
    [
        (None, [], None),
        (None, [{}], None),
        (None, [{"days": ["2010-12-02"]}, {"days": ["2010-12-01", "2010-12-02"]}], ["2010-12-01", "2010-12-02"]),
        (["2010-12-03"], [{"days": ["2010-12-01"]}], ["2010-12-03"]),
    ],
)
def test_the_param_overrides_the_events(
    param: list[str] | None, extras: list[dict[str, list[str]]], expected: list[str] | None
) -> None:
    assert requested_days(param, extras) == expected


@pytest.mark.parametrize("day", ["../../etc/passwd", "2010-13-01", 7])
def test_an_invalid_day_is_refused(day: object) -> None:
    with pytest.raises(ConfigurationError, match="write each as 2010-12-20"):
        requested_days(None, [{"days": [day]}])


def test_the_first_folder_that_has_a_day_is_used(tmp_path: Path) -> None:
    landed, recorded = UPath(tmp_path / "landed"), UPath(tmp_path / "recorded")
    for folder, name in ((landed, "2010-12-02"), (recorded, "2010-12-01"), (recorded, "2010-12-02")):
        folder.mkdir(exist_ok=True)
        (folder / f"online_retail_{name}.csv").write_text("x")
    (recorded / "online_retail_notes.csv").write_text("x")
    folders = {file["partition"]: Path(file["source"]).parent.name for file in find([landed, recorded], None)}
    assert folders == {"2010-12-01": "recorded", "2010-12-02": "landed"}
    assert [file["partition"] for file in find([landed, recorded], ["2010-12-01"])] == ["2010-12-01"]
    with pytest.raises(ConfigurationError, match=r"no file online_retail_2010-12-03\.csv in .*landed and .*recorded"):
        find([landed, recorded], ["2010-12-02", "2010-12-03"])
    with pytest.raises(ConfigurationError, match="no file online_retail_<day>"):
        find([UPath(tmp_path / "missing")], None)


def test_a_file_is_landed_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "online_retail_2010-12-01.csv").write_bytes(b"rows")
    target = land(UPath(tmp_path / "online_retail_2010-12-01.csv"), UPath(tmp_path / "landed"))
    assert UPath(target).read_bytes() == b"rows"
