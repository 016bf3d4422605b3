"""Deploys a registered model to Amazon SageMaker: a new endpoint beside the old one, and a switch once it works."""
