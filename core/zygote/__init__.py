"""The root of the process tree: one thread for ever; holds lock and socket, keeps the daemon alive, forks jobs."""
