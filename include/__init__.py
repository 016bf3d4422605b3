"""The code behind the DAGs, in plain Python, SQL and YAML."""
