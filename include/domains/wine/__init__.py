"""Predicts the quality of Portuguese wines from laboratory measurements; shows experiment tracking with MLflow."""
