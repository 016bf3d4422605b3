"""The DAGs that the web UI must show."""

from __future__ import annotations

from devstack.catalogue.read import read

DAG_IDS = [dag.dag_id for dag in read()]
