"""Where a device that moves is: a satellite receiver on the gateway, by gpsd or NMEA 0183."""
