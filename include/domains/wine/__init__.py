"""The quality of Portuguese wines from what a laboratory measures; shows how an experiment is kept in MLflow."""
