"""Cases: what people do about an alert, from the first look to the closed file."""
