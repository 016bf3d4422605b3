"""A model server that follows the registry's champion and keeps every prediction that it gives."""
