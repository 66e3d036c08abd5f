"""The store of files."""
