"""Check-in on a gateway: radios and readers that hear tags."""
