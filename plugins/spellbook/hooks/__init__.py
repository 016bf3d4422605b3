"""Hooks: how a connection becomes calls; what is called, and how its answers are read, stands in ``include``."""
