"""Deployment of this repository with Compose and Helm."""
