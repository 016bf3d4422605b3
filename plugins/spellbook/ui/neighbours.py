"""What Airflow knows of the asset of a dataset: the DAGs that publish and use it, their runbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow.models.asset import (
    AssetModel,
    DagScheduleAssetReference,
    TaskInletAssetReference,
    TaskOutletAssetReference,
)
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import select

from include.ops.alerts.runbooks import address_of, runbook_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session

MOST = 50


class Neighbours(NamedTuple):
    """The neighbours of a dataset.

    Attributes:
        upstream: assets that its publishers are started by, or read.
        publishers: DAGs that publish it, with the address of their runbook, if they have one.
        consumers: DAGs that it starts, or that read it.
        downstream: assets that these publish.
    """

    upstream: list[str]
    publishers: dict[str, str]
    consumers: list[str]
    downstream: list[str]


def neighbours(name: str, readable: Collection[str]) -> Neighbours:
    """Return the neighbours of the dataset called ``name``, among the DAGs that a user may read."""
    with create_session() as session:
        publishers = _dags(session, (TaskOutletAssetReference,), name, readable)
        consumers = _dags(session, (DagScheduleAssetReference, TaskInletAssetReference), name, readable)
        return Neighbours(
            _assets(session, (DagScheduleAssetReference, TaskInletAssetReference), publishers, name),
            {dag_id: _runbook(session, dag_id) for dag_id in publishers},
            consumers,
            _assets(session, (TaskOutletAssetReference,), consumers, name),
        )


Reference = type[DagScheduleAssetReference] | type[TaskInletAssetReference] | type[TaskOutletAssetReference]


def _dags(session: Session, references: Iterable[Reference], asset: str, readable: Collection[str]) -> list[str]:
    found: set[str] = set()
    for reference in references:
        query = select(reference.dag_id).join(AssetModel, AssetModel.id == reference.asset_id)
        found |= set(session.scalars(query.where(AssetModel.name == asset)))
    return sorted(found & set(readable))[:MOST]


def _assets(session: Session, references: Iterable[Reference], dag_ids: Collection[str], but: str) -> list[str]:
    found: set[str] = set()
    for reference in references:
        query = select(AssetModel.name).join(reference, AssetModel.id == reference.asset_id)
        found |= set(session.scalars(query.where(reference.dag_id.in_(dag_ids))))
    return sorted(found - {but})[:MOST]


def _runbook(session: Session, dag_id: str) -> str:
    serialized = SerializedDagModel.get(dag_id, session=session)
    doc = (serialized.data or {}).get("dag", {}).get("doc_md") if serialized else None
    return address_of(runbook_of(doc))
