"""Number plates in pictures."""
