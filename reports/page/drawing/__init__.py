"""Figures as pictures that a page holds: drawn here, once, so that a browser needs no program to show them."""
