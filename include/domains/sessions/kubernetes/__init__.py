"""The pod template of pandas_in_kubernetes, and its validation."""
