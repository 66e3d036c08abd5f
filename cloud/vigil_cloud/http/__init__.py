"""The HTTP side of a process: who may be connected, and for how long without a word."""
