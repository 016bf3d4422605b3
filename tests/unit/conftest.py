"""Hypothesis without deadlines: speed depends on the load of the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("spellbook", deadline=None)
settings.load_profile("spellbook")
