"""Groups customers' order lines into shopping sessions, with Spark and with pandas; both give the same result."""

OWNS = (
    "devstack/kubeconfig.py",
    "devstack/kubernetes_*.py",
    "docs/kubernetes.md",
    "docs/spark.md",
    "tests/e2e/spark/*",
)
"""Further files that belong to this domain."""
