"""What lies on disk after a run: studies, records and evidence, and which of their blocks are read."""
