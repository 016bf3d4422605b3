"""The block ``api`` of a source's YAML: how its API is asked, and where the rows are in what it answers.

Without the block it is ``GET {path}?since=YYYY-MM-DD&until=YYYY-MM-DD&limit=N``, which returns ``{"data": [rows],
"total": number of rows of all pages, "next": URL of the next page or null}``.

Imported whenever the DAG files are parsed: keep it free of heavy imports.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from include.core.sources.strict import Strict, Word

WHOLE = "$"
"""Path of the whole response."""
SECRET = re.compile(r"(?:api|app)[_-]?(?:key|id)|(?:access|auth)[_-]?token|token|secret|password", re.IGNORECASE)


def _no_secret(values: dict[str, str]) -> dict[str, str]:
    if found := next(filter(SECRET.fullmatch, values), None):
        raise ValueError(
            f"{found!r} looks like a secret: keep its value in the connection's password, and name the parameter in"
            " api.key.parameter"
        )
    return values


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Parameter = Annotated[
    str, Field(pattern=r"^[A-Za-z_$][A-Za-z0-9_.:$\[\]-]{0,59}$", description="Name of a query parameter.")
]
Place = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
"""A dotted path; a name may itself contain dots, such as @odata.nextLink."""
RowsPlace = Annotated[str, Field(pattern=r"^(\$|[^.$\s][^.\s]*(\.[^.\s]+)*)$", max_length=200)]


class Sized(Strict):
    """What all kinds of paging have in common."""

    size_parameter: Annotated[
        Parameter | None, Field(description="Parameter that asks for limits.page_size rows; default: none is sent.")
    ] = None


class SinglePage(Sized):
    """The response has all rows of the day."""

    kind: Literal["none"]


class Numbered(Sized):
    """Pages have numbers."""

    kind: Literal["page"]
    parameter: Parameter = "page"
    first: Annotated[int, Field(ge=0, le=1, description="Number of the first page.")] = 1
    pages: Annotated[
        Place | None, Field(description="Where the number of pages is in the response, such as meta.pages.")
    ] = None
    end: Annotated[
        Literal["empty", "short"],
        Field(
            description="Without a total and a number of pages: the page after the last is empty; or the last one has"
            " fewer rows than limits.page_size."
        ),
    ] = "empty"

    @model_validator(mode="after")
    def _is_sized(self) -> Self:
        if self.end == "short" and not self.size_parameter:
            raise ValueError("end: short needs size_parameter: a page is short of what was asked for")
        return self


class Offset(Sized):
    """A page starts at a row."""

    kind: Literal["offset"]
    parameter: Parameter = "offset"


class Cursor(Sized):
    """The response has what the next request must send; null or empty on the last page."""

    kind: Literal["cursor"]
    cursor: Annotated[Place, Field(description="Where it is in the response, such as meta.next_cursor.")]
    parameter: Parameter = "cursor"
    absent_at_end: Annotated[bool, Field(description="The last page lacks the field.")] = False


class LinkHeader(Sized):
    """The header Link has the URL of the next page, with rel="next"."""

    kind: Literal["link"]


class NextUrl(Sized):
    """The response has the URL of the next page; null or empty on the last one."""

    kind: Literal["next_url"]
    url: Annotated[Place, Field(description="Where it is in the response, such as paging.next.")] = "next"
    absent_at_end: Annotated[bool, Field(description="The last page lacks the field.")] = False


Paging = SinglePage | Numbered | Offset | Cursor | LinkHeader | NextUrl
KINDS: dict[object, type[Paging]] = {
    "none": SinglePage,
    "page": Numbered,
    "offset": Offset,
    "cursor": Cursor,
    "link": LinkHeader,
    "next_url": NextUrl,
}


class Dates(Strict):
    """The parameters that select a day, in the source's time zone."""

    start: Parameter = "since"
    end: Annotated[Parameter | None, Field(description="null: only the start is sent.")] = "until"
    includes_end: Annotated[
        bool, Field(description="true: the end is in the day; false: it is the start of the next one.")
    ] = True
    format: Annotated[
        Literal["date", "datetime", "unix"],
        Field(description="2024-06-01; 2024-06-01T00:00:00+01:00; or seconds since 1970."),
    ] = "date"


class Key(Strict):
    """Where the connection's password is sent; without this block it is a bearer token."""

    header: Annotated[str | None, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,59}$")] = None
    parameter: Parameter | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.header is None) == (self.parameter is None):
            raise ValueError("header, parameter: must have one of them")
        return self


class Api(Strict):
    """How an API is asked and answers; what isn't said is as without the block, see docs/make-it-yours.md."""

    rows: Annotated[
        RowsPlace, Field(description="Where the rows are, such as data.items; $: the response is their list.")
    ] = "data"
    total: Annotated[
        Place | None,
        Field(description="Where the number of the day's rows is; null: the API doesn't say. Default: total, or null."),
    ] = "total"
    paging: Annotated[Paging, Field(discriminator="kind")] = NextUrl(kind="next_url", size_parameter="limit")
    dates: Dates = Dates()
    query: Annotated[
        dict[Parameter, Annotated[str, BeforeValidator(_text), Field(max_length=500)]],
        AfterValidator(_no_secret),
    ] = Field(default_factory=dict, max_length=30, description="Parameters that are the same in each request.")
    key: Annotated[Key | None, Field(description="Where the connection's password is sent.")] = None
    allowed_hosts: Annotated[
        tuple[Annotated[Word, Field(pattern=r"^https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?$")], ...],
        Field(max_length=20, strict=False, description="Other URLs that links and redirects may lead to."),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _a_list_has_no_total(cls, data: Any) -> Any:
        return {"total": None} | data if isinstance(data, dict) and data.get("rows") == WHOLE else data

    @model_validator(mode="after")
    def _fits_the_response(self) -> Self:
        if self.rows == WHOLE:
            inside = {"total": self.total, "paging.pages": getattr(self.paging, "pages", None)}
            inside |= {f"paging.{name}": getattr(self.paging, name, None) for name in ("cursor", "url")}
            if found := [name for name, place in inside.items() if place]:
                raise ValueError(f"{', '.join(found)}: a response that is a list of rows has no other fields")
        names = [*self.query, self.dates.start, self.dates.end, self.paging.size_parameter]
        names += [getattr(self.paging, "parameter", None), self.key.parameter if self.key else None]
        repeated = sorted(name for name, count in Counter(filter(None, names)).items() if count > 1)
        if repeated:
            raise ValueError(f"the parameter {', '.join(repeated)} is used twice")
        return self
