"""What both wings speak over a socket: HTTP/1.1, Docker's stream frames, and JSON <-> model."""
