"""What every model of this repository shares: evaluation on shared folds, safe files, the registry, plots."""
