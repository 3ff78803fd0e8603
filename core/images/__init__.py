"""Images: names to documents, in and out as archives, layers to snapshots."""
