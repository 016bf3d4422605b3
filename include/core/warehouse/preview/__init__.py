"""Shows what a load would change, without changing it."""
