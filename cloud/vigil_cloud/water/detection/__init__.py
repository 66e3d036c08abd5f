"""Anomalies of a station: sensor faults and water events, strictly causal. Pure."""
