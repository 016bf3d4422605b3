"""Who survived the Titanic: a classifier that is proven before it is served."""

NAMES = ("model-server",)
"""What else in the repository belongs to this domain: the server of its model."""
