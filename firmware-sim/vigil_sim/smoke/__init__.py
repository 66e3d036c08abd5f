"""Smoke devices that are simulated: homes with a Zigbee2MQTT."""
