"""Water on a gateway: probes, loggers and recordings."""
