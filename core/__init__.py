"""onggi's engine and command line. `docs/architecture.md` is the map of the rooms in here."""

__version__ = "0.1.0"
