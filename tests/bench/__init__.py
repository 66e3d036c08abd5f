"""Figures that the project claims: each bench prints ``name: value`` lines and asserts nothing."""
