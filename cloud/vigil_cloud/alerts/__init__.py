"""Alerts: one life cycle for all domains, and the feed of what changes."""
