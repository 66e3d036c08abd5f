"""One pattern for everything that the city keeps a list of: look, add, change, retire, files."""
