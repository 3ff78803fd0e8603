"""Registries: pull, push, copy, log in, look inside."""
