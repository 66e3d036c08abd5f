"""Noise in the cloud: exceedances and their cases."""
