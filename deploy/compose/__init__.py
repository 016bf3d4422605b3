"""One-shot jobs and health checks of the Compose stack; they run inside its containers."""
