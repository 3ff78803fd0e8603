"""What lies on disk: blobs, snapshots, volumes, one database; and how archives become directories and back."""
