"""Search: somebody is missing; who looks, where they may be, and how it ended."""
