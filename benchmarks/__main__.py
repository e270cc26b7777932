"""`make bench`: every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import baseline, daemon, reading

reading.main()
baseline.main()
daemon.main()
