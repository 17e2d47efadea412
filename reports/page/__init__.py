"""The page: its first answer, its pictures and its tables."""
