"""Made sounds of every class that a noise camera hears, for training and testing a classifier.

They share nothing with the edge's own physics; ``scene.clip`` makes one, by its seed.
"""
