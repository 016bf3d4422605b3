"""Prepares Elasticsearch for task logs: ``python -m deploy.compose.log_index`` where its index is not created yet."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import conf
from elasticsearch import ApiError, Elasticsearch, TransportError

from deploy.compose.errors import SetupError

NAME = "airflow-logs"
FIELDS = {
    "log_id": {"type": "keyword"},
    "offset": {"type": "long"},
    "timestamp": {"type": "date", "ignore_malformed": True},
    "level": {"type": "keyword"},
}
"""What is searched. Other fields are kept, but not mapped: tasks log values of different types under the same name, and
objects as messages; Elasticsearch would refuse those lines. A ``log_id`` that is text would match parts of others.
"""


def create(host: str) -> None:
    """Create or update the template of the index that Airflow writes to.

    Args:
        host: URL of the server.

    Raises:
        SetupError: if the server can't be reached, or refuses it.
    """
    try:
        with Elasticsearch(host) as client:
            client.indices.put_index_template(
                name=NAME,
                index_patterns=conf.get("elasticsearch", "index_patterns").split(","),
                template={
                    "settings": {"auto_expand_replicas": "0-1"},
                    "mappings": {"dynamic": False, "properties": FIELDS},
                },
            )
    except (ApiError, TransportError) as error:
        raise SetupError(
            "SPELLBOOK_ELASTICSEARCH: the mapping of task logs can't be stored; check the address, and that the user"
            f" may manage index templates: {error}"
        ) from None


if __name__ == "__main__":
    create(conf.get("elasticsearch", "host"))
