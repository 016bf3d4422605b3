"""Every connection, pool, queue and environment key that a DAG may use, collected from core and the domains.

The gate refuses a DAG that uses an undeclared one; the embedded stack and Compose create what is declared. A domain
declares its own as constants in ``include/domains/<domain>/settings.py``.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

from include import domains
from include.core import settings as core
from include.core.collect import collect_constants, import_modules
from include.core.settings import Connection, EnvironmentKey, ModelFiles, Pool, Queue

_MODULES = (core, *import_modules(domains, "settings"))

CONNECTIONS = collect_constants(Connection, _MODULES)
POOLS = collect_constants(Pool, _MODULES)
QUEUES = collect_constants(Queue, _MODULES)
ENVIRONMENT = collect_constants(EnvironmentKey, _MODULES)
MODEL_FILES = collect_constants(ModelFiles, _MODULES)
"""The folders from which maintenance removes old runs."""
HTTP_CONNECTIONS = tuple(connection.conn_id for connection in CONNECTIONS if connection.conn_type == "http")
