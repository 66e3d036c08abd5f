"""The master's side of Modbus, for every domain whose devices speak it."""
