"""Water devices that are simulated: a canal and the probes in it."""
