"""Triggers: what waits in the triggerer instead of on a worker."""
