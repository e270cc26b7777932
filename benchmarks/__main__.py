"""`make bench`: every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import backtest, baseline, daemon, reading

reading.main()
baseline.main()
backtest.main()
daemon.main()
