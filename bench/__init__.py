"""Speed and size of onggi, beside docker and podman where they are installed, in one run: `python -m bench`."""
