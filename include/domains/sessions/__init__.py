"""Customers' shopping sessions out of order lines: once for Spark, once for pandas, with one result."""

OWNS = (
    "devstack/kubeconfig.py",
    "devstack/kubernetes_*.py",
    "docs/kubernetes.md",
    "docs/spark.md",
    "tests/e2e/spark/*",
)
"""What goes with this domain, besides its package and what imports it."""
