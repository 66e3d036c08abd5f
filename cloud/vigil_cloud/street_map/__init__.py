"""The city's street map: one PMTiles file in the object store, drawn by the pages."""
