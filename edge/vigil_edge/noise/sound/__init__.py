"""Sound as samples: microphones, streams, files, and their clock."""
