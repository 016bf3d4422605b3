"""What a CSV file says about the model that can be trained on it."""

from __future__ import annotations

import keyword
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import BaseModel

from include.core.ml.drift.summary import WHOLE
from include.core.ml.errors import DataError
from include.core.ml.spec import Thresholds
from include.core.ml.tables import read_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LEVELS = 30
MINIMUM_ROWS = 100
SEGMENT_LEVELS = range(2, 9)
OUTCOMES = ((0, 1), (False, True), ("no", "yes"), ("n", "y"), ("false", "true"))
IDENTIFIES = re.compile(r"(^|_)(?i:id|key|number|no)$|[a-z](Id|ID|Key|Number|No)$")

Kind = Literal["category", "integer", "number"]


@dataclass(frozen=True)
class Column:
    """A column that the model gets.

    Attributes:
        name: its field in a request: the header, if that is a name in Python.
        header: its name in the file.
        kind: how its values are read; whole numbers that may be missing are a ``number``.
        nullable: whether some are missing.
        levels: the values of a category.
        minimum, maximum: bounds of a number: far enough from what the file has for other rows to be within.
    """

    name: str
    header: str
    kind: Kind
    nullable: bool
    levels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def annotation(self) -> str:
        """The field's type in Python."""
        if self.kind == "category":
            text = f"Literal[{', '.join(map(repr, self.levels))}]"
        else:
            number = int if self.kind == "integer" else float
            bounds = {"ge": self.minimum, "le": self.maximum}
            named = ", ".join(f"{name}={number(value)!r}" for name, value in bounds.items() if value is not None)
            text = f"Annotated[{number.__name__}, Field({named})]"
        return f"{text} | None = None" if self.nullable else text

    @property
    def dtype(self) -> str:
        """Its type in pandas."""
        return {"category": "str", "integer": "int64", "number": "float64"}[self.kind]


@dataclass(frozen=True)
class Table:
    """A file and its columns.

    Attributes:
        rows: number of rows.
        columns: what the model gets.
        label: field of the outcome; ``label_header`` is its name in the file.
        classes: its two values; the second is what the model predicts the probability of.
        share: share of the more frequent value.
        key: field that identifies a row; empty if there is none. ``key_header`` is its name in the file.
        key_type: its type in Python.
        segment: category in each of whose values the model is judged; empty if there is none.
        left_out: why a column isn't used, by its header.
    """

    rows: int
    columns: tuple[Column, ...]
    label: str
    label_header: str
    classes: tuple[Any, Any]
    share: float
    key: str
    key_header: str
    key_type: str
    segment: str
    left_out: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """The names in the file of fields that have another."""
        named = {column.name: column.header for column in self.columns}
        named |= {self.label: self.label_header} | ({self.key: self.key_header} if self.key else {})
        return {name: header for name, header in named.items() if name != header}

    def of(self, *kinds: Kind) -> list[str]:
        """Return the fields of these kinds."""
        return [column.name for column in self.columns if column.kind in kinds]


def inspect(content: bytes, target: str, segment: str = "") -> Table:
    """Return what a CSV file says.

    Args:
        content: the file.
        target: header of the outcome.
        segment: header of the category by which the model is judged; empty: the one with the fewest values.

    Raises:
        DataError: naming the column that can't be used, and why.
    """
    if b"\x00" in content:
        raise DataError("DATA: contains the character NUL, which no text in the warehouse can have")
    texts = read_csv(content, "DATA", dtype=defaultdict(lambda: str))
    if target not in texts:
        raise DataError(f"TARGET={target}: the file has no such column; it has {', '.join(map(repr, texts))}")
    if len(texts) < MINIMUM_ROWS:
        raise DataError(f"DATA: {len(texts)} rows; at least {MINIMUM_ROWS} are needed to evaluate a model")
    names = _names([str(header) for header in texts])
    classes = _classes(texts[target], target)
    columns, left_out, key = [], {}, ""
    for header in texts.columns.drop(target):
        values = texts[header].dropna()
        if not key and values.nunique() == len(texts) and IDENTIFIES.search(header):
            key = header
        elif reason := _reason(values):
            left_out[header] = reason
        else:
            columns.append(_column(names[header], header, texts[header]))
    if not columns:
        raise DataError(f"DATA: no column can be used: {'; '.join(f'{name}: {why}' for name, why in left_out.items())}")
    return Table(
        rows=len(texts),
        columns=tuple(columns),
        label=names[target],
        label_header=target,
        classes=classes,
        share=float(texts[target].value_counts(normalize=True).iloc[0]),
        key=names.get(key, ""),
        key_header=key,
        key_type="int" if key and texts[key].str.fullmatch(r"0|[1-9]\d{0,17}").all() else "str",
        segment=_segment(texts, columns, segment),
        left_out=left_out,
    )


def _names(headers: Sequence[str]) -> dict[str, str]:
    """Return a name in Python for each header.

    Raises:
        DataError: if two have the same.
    """
    names: dict[str, str] = {}
    for header in headers:
        name = re.sub(r"\W+", "_", header, flags=re.ASCII).strip("_")
        if not name.isidentifier() or keyword.iskeyword(name) or hasattr(BaseModel, name) or name.startswith("model_"):
            name = f"column_{name}"
        if name in names.values():
            [other] = [known for known, its in names.items() if its == name]
            raise DataError(f"DATA: the columns {other!r} and {header!r} are both the field {name}; rename one")
        names[header] = name
    return names


def _classes(labels: pd.Series[str], target: str) -> tuple[Any, Any]:
    if missing := int(labels.isna().sum()):
        raise DataError(f"TARGET={target}: {missing} rows have no value; remove them")
    values = sorted(labels.unique())
    if len(values) != 2:
        shown = ", ".join(map(repr, values[:5])) + (", …" if len(values) > 5 else "")
        raise DataError(f"TARGET={target}: has {len(values)} values ({shown}); a classifier needs two")
    if values == ["0", "1"]:
        return (0, 1)
    if values in (["False", "True"], ["FALSE", "TRUE"], ["false", "true"]):
        return (False, True)
    lowered = tuple(value.casefold() for value in values)
    if lowered in OUTCOMES:
        return (values[0], values[1])
    raise DataError(
        f"TARGET={target}: has the values {values[0]!r} and {values[1]!r}; write them as 0 and 1, no and yes, or false"
        " and true, so that it is clear which one is to be predicted"
    )


def _reason(values: pd.Series[str]) -> str:
    """Return why a column with these values can't be used; empty if it can."""
    levels = values.nunique()
    if levels < 2:
        return "it has fewer than two values"
    if _numbers(values) is None and levels > MOST_LEVELS:
        return f"it has {levels} different texts; at most {MOST_LEVELS} make a category"
    if len(values) < MINIMUM_ROWS // 10:
        return f"it has a value in {len(values)} rows only"
    return ""


def _column(name: str, header: str, texts: pd.Series[str]) -> Column:
    values, nullable = texts.dropna(), bool(texts.isna().any())
    numbers = _numbers(values)
    if numbers is None:
        return Column(name, header, "category", nullable, levels=tuple(sorted(values.unique())))
    low, high = float(numbers.min()), float(numbers.max())
    whole = (
        not nullable
        and bool((numbers % 1 == 0).all())
        and max(-low, high) < 2**53
        and not values.str.contains(r"[.eE]").any()
    )
    if whole and (low, high) == (0, 1):
        bounds = (0.0, 1.0)
    else:
        bounds = (0.0 if low >= 0 else -_beyond(-low), _beyond(high) if high > 0 else 0.0)
    return Column(name, header, "integer" if whole else "number", nullable, minimum=bounds[0], maximum=bounds[1])


def _beyond(value: float) -> float:
    """Return a power of ten that is at least ten times a positive value."""
    return float(10 ** (math.ceil(math.log10(value)) + 1))


def _numbers(values: pd.Series[str]) -> pd.Series[float] | None:
    """Return the values as finite numbers; None if they aren't, or have leading zeros, as codes do."""
    if values.str.match(r"[+-]?0\d").any():
        return None
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers.astype(float) if numbers.notna().all() and numbers.abs().max() < math.inf else None


def _segment(texts: pd.DataFrame, columns: Sequence[Column], wanted: str) -> str:
    categories = {column.header: column.name for column in columns if column.kind == "category"}
    smallest = {header: int(texts[header].fillna("").value_counts().min()) for header in categories}
    rows = Thresholds().segment_rows
    allowed = {
        header: texts[header].nunique()
        for header in categories
        if texts[header].nunique() in SEGMENT_LEVELS and smallest[header] >= rows and WHOLE not in set(texts[header])
    }
    if wanted and wanted not in allowed:
        raise DataError(
            f"SEGMENT={wanted}: allowed: {', '.join(map(repr, allowed)) or 'none'}, the columns of"
            f" {SEGMENT_LEVELS.start} to {SEGMENT_LEVELS.stop - 1} texts with at least {rows} rows each, none of them"
            f" {WHOLE!r}, which stands for the whole"
        )
    return categories[wanted or min(allowed, key=lambda header: allowed[header])] if allowed else ""
