"""The sound level meter: weightings and levels."""
