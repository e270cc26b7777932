"""The edges of the daemon: store, sockets, metrics, files."""
