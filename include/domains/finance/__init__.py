"""The books: what the sales of a month come to."""

OWNS = ("tests/e2e/compose/planted/urgent.py",)
NAMES = ("airflow-worker-finance", "finance-priority", "SPELLBOOK_FINANCE_CONCURRENCY")
"""What else in the repository belongs to this domain: the worker of its queue."""
