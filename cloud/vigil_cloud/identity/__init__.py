"""Accounts, persons, households, districts, consents, rights, and the audit log."""
