"""Operation of the platform: alerts, metrics, maintenance."""
