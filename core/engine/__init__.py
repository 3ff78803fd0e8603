"""The engine's services: one a file, collaborators injected, no HTTP."""
