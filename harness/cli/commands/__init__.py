"""One file per command, by its name; each parses and prints, and leaves the work to `harness.runs` and `reports`."""
