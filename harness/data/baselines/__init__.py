"""What simple methods reach on the same arrays, to stand beside what nets do."""
