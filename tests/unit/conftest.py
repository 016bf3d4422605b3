"""No test is judged by its speed, which on a busy machine tells nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("spellbook", deadline=None)
settings.load_profile("spellbook")
