"""All of libsystemd: how entries are read, and in which process."""
