"""The inputs, by what takes them, with the outcome that each must have."""
