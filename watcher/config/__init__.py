"""Configuration: strict YAML with positions, checked models, frozen settings."""
