"""Alerts: telling people what happened to a run, once, on the right channel, and never losing it."""
