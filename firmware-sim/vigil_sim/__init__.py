"""A simulated city that drives devices over their real protocols."""
