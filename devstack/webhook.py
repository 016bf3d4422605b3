"""What the Slack sink and those who post to it agree on."""

from __future__ import annotations

WEBHOOK_PATH = "/services/T00000000/B00000000/{key}"
TOKEN_VARIABLE = "SPELLBOOK_SINKS_SLACK_TOKEN"
