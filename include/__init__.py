"""The domain: what the DAGs do, in plain Python, SQL and YAML."""
