"""``python -m include.command preview --source NAME --file FILE`` judges a file, without a stack.

Exit status: 0 if all rows are accepted, 3 if some are rejected within the tolerated share, 4 if the file is refused,
and 1 for anything else, such as a file that doesn't exist.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, NoReturn

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.preview.model import Preview

ACCEPTED, OTHER, SOME_REJECTED, REFUSED = 0, 1, 3, 4
LARGEST_FILE = 10_000_000_000
DAY = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", re.ASCII)


class _Parser(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        self.exit(OTHER, f"{self.format_usage()}{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        with redirect_stdout(sys.stderr):  # nothing but the result is on stdout
            preview = _preview(options)
        _print(preview, as_json=options.json)
    except KeyboardInterrupt:
        return _fail("interrupted")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain at its exit
        return OTHER
    except Exception as error:  # a person reads it: no traceback, whatever it is
        kind = "" if isinstance(error, ValueError | OSError) and str(error) else f"{type(error).__name__}: "
        return _fail(f"{kind}{error}")
    if preview.refused:
        return REFUSED
    return SOME_REJECTED if preview.rows.rejected else ACCEPTED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m include.command", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="preview", parser_class=_Parser)
    preview = commands.add_parser("preview", help="judge a file by the contract of its rows")
    preview.add_argument(
        "--source", required=True, help="a table, source or file by name, or the path of a source's YAML"
    )
    preview.add_argument("--file", required=True, help="path or http(s) URL of CSV, JSON, JSON lines or Parquet")
    preview.add_argument("--date", type=_day, help="day of the rows, YYYY-MM-DD; default: the one in the file's name")
    preview.add_argument("--json", action="store_true", help="print the result as JSON; see docs/preview.md")
    preview.add_argument(
        "--warehouse",
        default=os.environ.get("WAREHOUSE_URI", ""),
        help="compare with the rows of this one, postgresql://…",
    )
    return parser


def _preview(options: argparse.Namespace) -> Preview:
    from include.contracts import contract
    from include.core.formats.judge import judge
    from include.core.input_files import opened

    chosen = contract(options.source)
    name = options.file
    with opened(name, LARGEST_FILE) as file:
        return judge(chosen, file, name, options.date or _day_in(name), options.warehouse)


def _print(preview: Preview, *, as_json: bool) -> None:
    if as_json:
        print(preview.model_dump_json())
    else:
        from rich.console import Console

        from include.core.warehouse.preview.terminal import show

        show(Console(soft_wrap=True), preview)
    sys.stdout.flush()


def _fail(message: str) -> int:
    print("".join(char if char.isprintable() or char == "\n" else "�" for char in message), file=sys.stderr)
    return OTHER


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day, YYYY-MM-DD, such as 2024-06-01") from None


def _day_in(name: str) -> dt.date | None:
    """Return the day that a file's name contains, if it is one."""
    days = set()
    for text in DAY.findall(name.rsplit("/", 1)[-1]):
        try:
            days.add(dt.date.fromisoformat(text))
        except ValueError:
            continue
    return days.pop() if len(days) == 1 else None


if __name__ == "__main__":
    sys.exit(main())
