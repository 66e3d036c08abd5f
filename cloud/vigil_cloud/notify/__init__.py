"""People are told: channels, deliveries, reminders."""
