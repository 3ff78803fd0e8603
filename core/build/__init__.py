"""Images from Dockerfiles: plan (pure) -> solver -> image. What a step does to a disk is done by jobs and tasks."""
