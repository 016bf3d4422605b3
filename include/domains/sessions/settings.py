"""Spark, and the cluster that pods run in."""

from __future__ import annotations

from pathlib import Path

from include.core.settings import Connection, EnvironmentKey

SPARK = Connection(
    "spark_default", "spark", "spark", "Spark: host local[*], or spark://host with a port; no cluster mode.", True
)
KUBERNETES = Connection(
    "kubernetes_default", "kubernetes", "kubernetes_double", "Cluster that pods run in; extra: namespace, …", True
)
SPARK_DRIVER_MEMORY = EnvironmentKey(
    "SPELLBOOK_SPARK_DRIVER_MEMORY", "1g", "Heap of Spark's driver; with the master local[*], all there is."
)
SPARK_EXECUTOR_MEMORY = EnvironmentKey("SPELLBOOK_SPARK_EXECUTOR_MEMORY", "1g", "Heap of each of Spark's executors.")
SPARK_PARTITIONS = EnvironmentKey(
    "SPELLBOOK_SPARK_PARTITIONS", "8", "Parts that Spark cuts a shuffle into: about one a 100 MB, and one a core."
)
SPARK_PACKAGES = EnvironmentKey(
    "SPELLBOOK_SPARK_PACKAGES", "", "Maven coordinates that Spark loads, such as org.apache.hadoop:hadoop-aws:3.4.2."
)
POD_IMAGE = EnvironmentKey(
    "SPELLBOOK_POD_IMAGE",
    "registry.example.com/spellbook:1.0.0",
    "Image of the pods of pandas_in_kubernetes: this repository's own, with a version or a digest.",
)

APPLICATION = Path(__file__).with_name("sessions.py")
POD_TEMPLATE = Path(__file__).parent / "kubernetes" / "pod.yaml"
