"""What ``vigil-edge doctor`` looks at of a device on Modbus."""

from __future__ import annotations

from vigil_edge.examination import Finding, Text, device_file, tcp
from vigil_edge.modbus.settings import ModbusPlace


def look(settings: ModbusPlace, subject: Text) -> Finding:
    """Its serial port, or whether somebody answers at its address."""
    if settings.driver == "modbus-rtu":
        return device_file(subject, settings.address)
    return tcp(subject, settings.host, settings.port)
