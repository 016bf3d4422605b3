"""``python -m devstack.catalogue``: write ``docs/DAGS.md``."""

from __future__ import annotations

import sys

from devstack.catalogue.page import PAGE, page
from devstack.catalogue.read import read
from devstack.errors import StackError


def main() -> int:
    """Write the page; return 1 if the DAGs don't load."""
    try:
        dags = read()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.write_text(page(dags), encoding="utf-8")
    print(f"{PAGE.relative_to(PAGE.parents[1])}: {len(dags)} DAGs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
