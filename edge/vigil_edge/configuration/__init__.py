"""The gateway file: its sections, its mistakes, and what they are made of."""
