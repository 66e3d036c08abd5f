"""A stand-in for the city's emergency line (119): takes CAP 1.2 by HTTP, and answers."""
