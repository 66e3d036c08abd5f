"""Camera and microphones brought together: by claps or flashes that both have witnessed."""
