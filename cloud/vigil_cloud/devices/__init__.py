"""Gateways and their devices, and what is said to them."""
