"""A copy of everything that the cloud keeps, in one file, and the way back."""
