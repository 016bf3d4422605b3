"""What time leaves behind, and how it goes."""
