"""Computes the sessions with Spark: ``spark-submit include/domains/sessions/sessions.py --input URL --output URL``.

Uses DataFrame expressions only, so that executors don't start Python, whose version may differ from the driver's.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame, SparkSession, Window, functions
from pyspark.sql.functions import col, lit

from include.domains.sessions.rules import CANCELLED, COLUMNS, GAP_MINUTES, SESSIONS, SUMMARY


def read(spark: SparkSession, url: str) -> DataFrame:
    """Read a CSV file, or a folder of them, as text."""
    schema = ", ".join(f"{name} STRING" for name in COLUMNS)
    return spark.read.csv(url, schema, header=True, enforceSchema=False, escape='"', mode="FAILFAST")


def typed(raw: DataFrame) -> DataFrame:
    """Drop duplicate rows, convert the others to their types, and set the ``status`` of each."""
    readable = col("quantity").isNotNull() & col("at").isNotNull() & col("pence").isNotNull()
    status = functions.when(~readable, "unreadable").when(col("customer_id").isNull(), "anonymous").otherwise("used")
    return (
        raw.dropDuplicates()
        .select(
            col("InvoiceNo").alias("invoice"),
            col("Quantity").try_cast("double").cast("long").alias("quantity"),
            functions.try_to_timestamp("InvoiceDate", lit("yyyy-MM-dd HH:mm:ss")).alias("at"),
            functions.floor(col("UnitPrice").try_cast("double") * 100 + 0.5).alias("pence"),
            col("CustomerID").try_cast("double").cast("long").alias("customer_id"),
        )
        .withColumn("status", status)
    )


def sessions(lines: DataFrame, gap_minutes: int) -> DataFrame:
    """Number each customer's sessions and aggregate their lines."""
    in_order = Window.partitionBy("customer_id").orderBy("at")
    since = functions.unix_timestamp("at") - functions.unix_timestamp(functions.lag("at").over(in_order))
    starts = functions.coalesce((since > gap_minutes * 60).cast("int"), lit(1))
    cancelled = functions.when(col("invoice").startswith(CANCELLED), col("invoice"))
    return (
        lines.withColumn("starts", starts)
        .withColumn("session", functions.sum("starts").over(in_order.rangeBetween(Window.unboundedPreceding, 0)))
        .groupBy("customer_id", "session")
        .agg(
            functions.min("at").cast("timestamp_ntz").alias("started_at"),
            functions.max("at").cast("timestamp_ntz").alias("ended_at"),
            functions.countDistinct("invoice").alias("invoices"),
            functions.countDistinct(cancelled).alias("cancelled"),
            functions.count(lit(1)).alias("lines"),
            functions.sum("quantity").alias("quantity"),
            functions.sum(col("quantity") * col("pence")).alias("amount_pence"),
        )
    )


def summary(raw: DataFrame, lines: DataFrame) -> DataFrame:
    """Count the input rows by status, in one row."""
    kept = lines.agg(
        functions.count(lit(1)).alias("distinct"),
        *(functions.count_if(col("status") == status).alias(status) for status in ("unreadable", "anonymous", "used")),
    )
    read_rows = raw.agg(functions.count(lit(1)).alias("read"))
    return read_rows.crossJoin(kept).select(
        "read", "unreadable", (col("read") - col("distinct")).alias("repeated"), "anonymous", "used"
    )


def main() -> None:
    """Write the sessions and the summary below ``--output``, which must not exist yet."""
    parser = argparse.ArgumentParser(prog="sessions.py")
    parser.add_argument("--input", required=True, help="URL of a CSV file, or of a folder of them")
    parser.add_argument("--output", required=True, help="URL of a folder that doesn't exist yet")
    parser.add_argument("--gap-minutes", type=int, default=GAP_MINUTES)
    arguments = parser.parse_args()
    spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    raw = read(spark, arguments.input)
    lines = typed(raw).cache()
    used = lines.where(col("status") == "used")
    sessions(used, arguments.gap_minutes).write.parquet(f"{arguments.output}/{SESSIONS}")
    summary(raw, lines).coalesce(1).write.json(f"{arguments.output}/{SUMMARY}")
    spark.stop()


if __name__ == "__main__":
    main()
