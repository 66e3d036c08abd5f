"""Evidence packages: taken in, verified, read again."""
