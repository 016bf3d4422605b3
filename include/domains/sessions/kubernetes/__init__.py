"""The pod in which pandas_in_kubernetes runs, and what it must be like."""
