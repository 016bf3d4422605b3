"""A classifier of who survived the Titanic, validated before it is deployed."""

NAMES = ("model-server",)
"""Other names in the repository that belong to this domain: its model server."""
