"""Speaking at a gateway: recordings that a city can replace, through the sound card."""
