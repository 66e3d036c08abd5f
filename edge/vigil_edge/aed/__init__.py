"""AED cabinets: contacts, voice, and what happens at them."""
