"""One simulated week of a city, sent through a real cloud whose clock is moved (ADR 50)."""
