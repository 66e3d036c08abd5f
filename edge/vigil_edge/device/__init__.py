"""One device's pipeline: the seam that it sees, its supervisor, its health."""
