"""Loads tables: audited, fenced, and idempotent when a run is repeated, overlapped or killed."""
