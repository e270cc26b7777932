"""The pure core: plain values in, decisions out; no I/O, no clock, no logging."""
