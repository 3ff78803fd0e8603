"""The OCI specifications' own words, free of I/O. `runtime` is stdlib only: it is read below the fork line."""
