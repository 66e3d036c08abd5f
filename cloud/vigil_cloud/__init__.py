"""The cloud service: ingest, stores, decisions, alerts, and the screens people act on."""
