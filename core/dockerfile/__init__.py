"""The Dockerfile's language: text -> lines -> typed instructions -> stages. Pure; nothing here knows the engine."""
