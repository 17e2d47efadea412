"""The roof: what a user types. The only package that knows both the machine and what `reports` says of it."""
