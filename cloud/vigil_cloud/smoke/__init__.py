"""Smoke in the cloud: conditions of alarms and what they mean."""
