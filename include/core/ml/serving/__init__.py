"""A model server that follows the registry's champion and logs every prediction."""
