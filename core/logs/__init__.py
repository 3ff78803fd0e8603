"""Container logs in Docker's json-file format: the shim writes, the engine reads."""
