"""A notifier with words of the author's own, on the way that every other alert goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class OutboxNotifier(BaseNotifier):
    """Say ``text`` too, in the alert that the run makes anyway; about a task that succeeded, in a message of its own.

    Give it to a DAG or a task as ``on_success_callback`` or ``on_failure_callback``. The run still makes one message
    for each channel: what the cluster policy adds finds this one there.

    Args:
        text: one line, templated.
    """

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        """Put it into the outbox."""
        from include.ops.alerts.callbacks import on_note

        on_note(context, self.text)
