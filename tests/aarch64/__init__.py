"""The gateway on the processor that it is meant for, emulated where this machine has another."""
