"""Noise on a gateway: sound, levels, pictures, plates and cases."""
