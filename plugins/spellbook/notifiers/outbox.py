"""A notifier with custom text, delivered through the outbox like all other alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class OutboxNotifier(BaseNotifier):
    """Adds ``text`` to the run's alert; for a successful task, sends a separate message.

    Use it as ``on_success_callback`` or ``on_failure_callback`` of a DAG or task. A run still sends one message per
    channel, because the cluster policy's callback detects this one.

    Args:
        text: one line, templated.
    """

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        """Store the text in the outbox."""
        from include.ops.alerts.callbacks import on_note

        on_note(context, self.text)
