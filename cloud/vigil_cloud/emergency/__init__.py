"""The city's emergency line (119): told by web hook in CAP 1.2, and asked until it answers."""
