"""From measurements and needs to a choice, its uncertainty and what would change it."""
