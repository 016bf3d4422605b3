"""What runs the platform itself."""
