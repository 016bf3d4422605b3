"""Alerts about runs: sent once, to the right channel, and never lost."""
