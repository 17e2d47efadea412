"""The proof that two backends compute the same: what is compared, level by level, and hints at what differs."""
