"""From a pipeline's facts to the cloud's receipts, and what the cloud says back."""
