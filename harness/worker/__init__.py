"""What runs in a backend's own interpreter, one job per process. Needs NumPy, msgspec and its framework."""
