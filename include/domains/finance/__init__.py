"""The month-end close: revenue by country and month."""

OWNS = ("tests/e2e/compose/planted/urgent.py",)
NAMES = ("airflow-worker-finance", "finance-priority", "SPELLBOOK_FINANCE_CONCURRENCY", "SPELLBOOK_FINANCE_PARTIAL")
"""Other names in the repository that belong to this domain: those of its queue's worker."""
