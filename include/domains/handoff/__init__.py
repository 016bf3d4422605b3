"""Large data between tasks: as Parquet in object storage, in batches; only its URL goes through XCom."""
