"""The parent: what is planned, conducted, launched in processes of their own, and kept."""
