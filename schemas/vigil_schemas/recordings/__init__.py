"""Tables of readings as people have them, for whatever replays or judges one."""
