"""Passes large data between tasks as Parquet in object storage; only the URL goes through XCom."""
