"""Creates a DAG for each source from its ``<name>.yaml``, which declares the API, the contract and the schedule."""
