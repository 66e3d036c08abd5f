"""Where a sound comes from: the bearing of a source from several microphones."""
