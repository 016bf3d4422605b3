"""Path and token variable of the Slack sink's webhook."""

from __future__ import annotations

WEBHOOK_PATH = "/services/T00000000/B00000000/{key}"
TOKEN_VARIABLE = "SPELLBOOK_SINKS_SLACK_TOKEN"
