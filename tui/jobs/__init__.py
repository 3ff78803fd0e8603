"""Long work: what runs in the background, how far it is, how to pause, cancel and take it up again."""
