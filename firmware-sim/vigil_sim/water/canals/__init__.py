"""A network of canals, run by a finite-volume solver: what the cloud's solver is judged against."""
