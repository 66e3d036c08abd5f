"""How a box becomes a gateway, and how its certificate is renewed."""
