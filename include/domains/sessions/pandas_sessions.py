"""Computes the sessions with pandas: ``python -m include.domains.sessions.pandas_sessions --input URL --output URL``.

Runs in a pod, without Airflow: fsspec opens the URLs with the stores' default credentials (``AWS_ACCESS_KEY_ID``, …).
"""

from __future__ import annotations

import argparse
import io
import json

import numpy as np
import pandas as pd
from upath import UPath

from include.core import storage
from include.domains.sessions.rules import CANCELLED, COLUMNS, GAP_MINUTES, SESSIONS, SUCCESS, SUMMARY


def read(url: str) -> pd.DataFrame:
    """Read a CSV file, or the CSV files of a folder, as text."""
    path = UPath(url)
    files = sorted(path.glob("*.csv"), key=str) if path.is_dir() else [path]
    frames = []
    for file in files:
        with file.open("rb") as content:
            frames.append(pd.read_csv(content, dtype="str", keep_default_na=False, na_values=[""]))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def typed(raw: pd.DataFrame) -> pd.DataFrame:
    """Drop duplicate rows, convert the others to their types, and set the ``status`` of each."""
    distinct = raw.drop_duplicates()
    price = pd.to_numeric(distinct["UnitPrice"], errors="coerce")
    lines = pd.DataFrame(
        {
            "invoice": distinct["InvoiceNo"],
            "quantity": pd.to_numeric(distinct["Quantity"], errors="coerce"),
            "at": pd.to_datetime(distinct["InvoiceDate"], format="%Y-%m-%d %H:%M:%S", errors="coerce"),
            "pence": np.floor(price * 100 + 0.5),
            "customer_id": pd.to_numeric(distinct["CustomerID"], errors="coerce"),
        }
    )
    readable = lines[["quantity", "at", "pence"]].notna().all(axis="columns")
    lines["status"] = np.select([~readable, lines["customer_id"].isna()], ["unreadable", "anonymous"], "used")
    return lines


def sessions(lines: pd.DataFrame, gap_minutes: int) -> pd.DataFrame:
    """Number each customer's sessions and aggregate their lines; sorted by customer and session."""
    numbers = ["quantity", "pence", "customer_id"]
    ordered = lines.astype(dict.fromkeys(numbers, "int64")).sort_values(["customer_id", "at"])
    since = ordered.groupby("customer_id")["at"].diff()
    starts = since.isna() | (since > pd.Timedelta(minutes=gap_minutes))
    prepared = ordered.assign(
        session=starts.astype("int64").groupby(ordered["customer_id"]).cumsum(),
        cancels=ordered["invoice"].where(ordered["invoice"].str.startswith(CANCELLED)),
        amount_pence=ordered["quantity"] * ordered["pence"],
    )
    return (
        prepared.groupby(["customer_id", "session"])
        .agg(
            started_at=("at", "min"),
            ended_at=("at", "max"),
            invoices=("invoice", "nunique"),
            cancelled=("cancels", "nunique"),
            lines=("at", "size"),
            quantity=("quantity", "sum"),
            amount_pence=("amount_pence", "sum"),
        )
        .reset_index()
    )


def summary(raw: pd.DataFrame, lines: pd.DataFrame) -> dict[str, int]:
    """Count the input rows by status."""
    counts = lines["status"].value_counts()
    return {
        "read": len(raw),
        "unreadable": int(counts.get("unreadable", 0)),
        "repeated": len(raw) - len(lines),
        "anonymous": int(counts.get("anonymous", 0)),
        "used": int(counts.get("used", 0)),
    }


def main() -> None:
    """Write the sessions and the summary below ``--output``, in the same layout as Spark."""
    parser = argparse.ArgumentParser(prog="python -m include.domains.sessions.pandas_sessions")
    parser.add_argument("--input", required=True, help="URL of a CSV file, or of a folder of them")
    parser.add_argument("--output", required=True, help="URL of a folder")
    parser.add_argument("--gap-minutes", type=int, default=GAP_MINUTES)
    arguments = parser.parse_args()
    raw = read(arguments.input)
    lines = typed(raw)
    parquet = io.BytesIO()
    sessions(lines[lines["status"] == "used"], arguments.gap_minutes).to_parquet(parquet, index=False)
    counts = summary(raw, lines)
    output = UPath(arguments.output)
    storage.write(output / SESSIONS / "part-0.parquet", parquet.getvalue())
    storage.write(output / SUMMARY / "part-0.json", json.dumps(counts).encode())
    for folder in (SESSIONS, SUMMARY):
        storage.write(output / folder / SUCCESS, b"")
    print(f"{arguments.output}: {counts}")


if __name__ == "__main__":
    main()
