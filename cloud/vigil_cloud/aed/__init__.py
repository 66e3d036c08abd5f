"""AEDs: the register, the volunteers, and calls to a heart that stopped."""
