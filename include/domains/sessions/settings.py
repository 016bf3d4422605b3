"""Connections and environment keys of Spark and Kubernetes."""

from __future__ import annotations

from pathlib import Path

from include.core.settings import Connection, EnvironmentKey

SPARK = Connection(
    "spark_default",
    "spark",
    "spark",
    "Spark: host local[*], or spark://host with a port; cluster mode isn't supported.",
    True,
)
KUBERNETES = Connection(
    "kubernetes_default", "kubernetes", "kubernetes_double", "Cluster that runs the pods; extra: namespace, …", True
)
SPARK_DRIVER_MEMORY = EnvironmentKey(
    "SPELLBOOK_SPARK_DRIVER_MEMORY", "1g", "Heap of Spark's driver; with the master local[*], of everything."
)
SPARK_EXECUTOR_MEMORY = EnvironmentKey("SPELLBOOK_SPARK_EXECUTOR_MEMORY", "1g", "Heap of each of Spark's executors.")
SPARK_PARTITIONS = EnvironmentKey(
    "SPELLBOOK_SPARK_PARTITIONS",
    "8",
    "Number of Spark's shuffle partitions: about one for each 100 MB, and at least one for each core.",
)
SPARK_PACKAGES = EnvironmentKey(
    "SPELLBOOK_SPARK_PACKAGES",
    "",
    "Maven coordinates of packages that Spark loads, such as org.apache.hadoop:hadoop-aws:3.4.2.",
)
POD_IMAGE = EnvironmentKey(
    "SPELLBOOK_POD_IMAGE",
    "registry.example.com/spellbook:1.0.0",
    "Image of pandas_in_kubernetes' pod: this repository's image, with a version or a digest.",
)

APPLICATION = Path(__file__).with_name("sessions.py")
POD_TEMPLATE = Path(__file__).parent / "kubernetes" / "pod.yaml"
