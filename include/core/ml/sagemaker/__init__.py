"""A registered model on Amazon SageMaker: a new endpoint beside the old one, and a switch once it answers."""
