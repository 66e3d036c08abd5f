"""What is trained for the edge, by scripts that can be run again."""
