"""Triggers: asynchronous waits in the triggerer, without a worker."""
