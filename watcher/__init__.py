"""release-watcher: judges a release by the journal of the job it changed, and rolls it back once."""

__version__ = "0.1.0"
