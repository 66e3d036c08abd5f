"""Water in the cloud: excursions, probes and their hours."""
