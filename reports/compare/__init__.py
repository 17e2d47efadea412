"""What changed between two studies, and whether anything is slower."""
