"""Talks to an engine over its socket: ours, or any other that speaks the Docker Engine API."""
