"""Certificates: the cloud's own small authority for gateways, and when one of ours ends."""
