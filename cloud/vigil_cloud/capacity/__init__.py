"""How much one sender may keep here, and how much room the disk still has."""
