"""AED cabinets of the simulated city."""
