"""The reference: every forward and backward pass by hand, in float64, written to be read."""
