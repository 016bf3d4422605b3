"""Writes a new DAG with everything that belongs to it: domain, dataset, test and runbook."""
