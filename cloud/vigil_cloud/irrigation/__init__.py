"""Irrigation: associations that are told which gate to close and when it may open."""
