"""Write a model from a table: ``python -m devstack.new_model churn churn.csv left``."""
