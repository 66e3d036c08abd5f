"""The edge agent: what runs on a gateway, from a sensor's own protocol to MQTT."""
