"""The examples: one package for each domain, independent of one another."""
