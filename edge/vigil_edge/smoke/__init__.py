"""Smoke on a gateway: alarms behind Zigbee2MQTT."""
