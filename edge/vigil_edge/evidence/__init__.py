"""Sealed evidence: its queue on the disk, and its upload."""
