"""What an evidence package holds beside the recording itself: worked out from a case's folder."""
