"""One process a container: it holds the terminal, the log, the clients and the restart policy."""
