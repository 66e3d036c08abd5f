"""Noise devices that are simulated: a street with its sound and pictures."""
