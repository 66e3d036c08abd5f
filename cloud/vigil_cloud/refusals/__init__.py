"""What was refused, for every room that asks: ingest writes it."""
