"""Docker's Engine API over a Unix socket: one thin function a route."""
