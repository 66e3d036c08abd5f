"""What the platform does by itself, now and then, and the alerts it raises about itself."""
