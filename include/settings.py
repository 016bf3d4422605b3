"""Every connection, pool, queue and environment key that a DAG may use, collected from core and the domains.

The gate refuses a DAG that uses an undeclared one; the embedded stack and Compose create what is declared. A domain
declares its own in ``include/domains/<domain>/settings.py``: a constant is enough.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

from include import domains
from include.core import settings as core
from include.core.registry import declared, modules_of
from include.core.settings import Connection, EnvironmentKey, Pool, Queue

_MODULES = (core, *modules_of(domains, "settings"))

CONNECTIONS = declared(Connection, _MODULES)
POOLS = declared(Pool, _MODULES)
QUEUES = declared(Queue, _MODULES)
ENVIRONMENT = declared(EnvironmentKey, _MODULES)
HTTP_CONNECTIONS = tuple(connection.conn_id for connection in CONNECTIONS if connection.conn_type == "http")
