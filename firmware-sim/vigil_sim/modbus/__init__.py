"""The slave's side of Modbus, for every domain whose devices speak it."""
