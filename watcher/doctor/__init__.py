"""What may keep release-watcher from working on this machine, and the line that mends it: `watcher doctor`."""
