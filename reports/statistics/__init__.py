"""Rows, their intervals, and every rule that decides a verdict."""
