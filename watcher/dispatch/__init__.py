"""What claims and runs a rollback; almost no imports."""
