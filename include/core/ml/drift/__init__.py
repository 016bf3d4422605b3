"""What was served, held against what the model was trained on: drift by segment, missing values, volume, accuracy."""
