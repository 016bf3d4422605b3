"""Notifiers that DAG authors can use as callbacks."""
