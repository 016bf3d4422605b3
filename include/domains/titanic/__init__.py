"""A classifier of who survived the Titanic, validated before it is deployed."""
