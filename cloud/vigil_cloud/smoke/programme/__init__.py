"""The city's programme: smoke alarms for homes that need them most, from application to renewal."""
