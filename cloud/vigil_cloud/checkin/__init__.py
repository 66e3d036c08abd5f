"""Check-in in the cloud: tags, visits, footprints, and who may see them."""
