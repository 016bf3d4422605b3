"""Shared services, independent of any domain."""
