"""The wines of one colour as a file."""

from __future__ import annotations

from include.core.formats.contract import FileContract
from include.core.warehouse.dataset import Column, Dataset
from include.domains.wine.data import GRADE, GRADES, MEASUREMENTS, read

WINE_FILE = FileContract(
    Dataset(
        "wine",
        (
            Column("line", "bigint", minimum=2),
            *(Column(name, "double precision", minimum=0) for name in MEASUREMENTS),
            Column(GRADE, "bigint", minimum=GRADES.start, maximum=GRADES.stop - 1),
        ),
        key=("line",),
    ),
    line_column="line",
    delimiter=";",
    check=lambda content: read(content, "wine"),
)
