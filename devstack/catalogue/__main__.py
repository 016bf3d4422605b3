"""``python -m devstack.catalogue``: write the pages."""

from __future__ import annotations

import sys

from devstack.catalogue.pages import texts
from devstack.catalogue.read import read
from devstack.errors import StackError
from devstack.state import REPOSITORY


def main() -> int:
    """Write the pages; return 1 if the DAGs don't load."""
    try:
        dags = read()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    pages = texts(dags)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    print(f"{', '.join(str(path.relative_to(REPOSITORY)) for path in pages)}: {len(dags)} DAGs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
