"""Compares served predictions with the training: drift by segment, missing values, volume, accuracy."""
