"""Hooks: each turns a connection into a client; the clients themselves are in ``include``."""
