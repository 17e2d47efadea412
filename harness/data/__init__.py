"""Data sets: made up, embedded or fetched, checked by their digests, and prepared as arrays for every worker."""
