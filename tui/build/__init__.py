"""Builds: the form, the view of one that goes on or is over, and the list of those that were."""
