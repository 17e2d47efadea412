"""Records in, tables and decisions out. The only place where pandas is imported."""
