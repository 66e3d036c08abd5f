"""Check-in devices that are simulated: beacons, a Bluetooth stack, an LLRP reader."""
