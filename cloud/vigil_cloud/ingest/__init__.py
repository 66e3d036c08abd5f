"""From MQTT into the stores: each message once, with a receipt."""
