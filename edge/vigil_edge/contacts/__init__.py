"""Dry contacts: lines of an I/O board on Modbus, or of the gateway's own pins."""
