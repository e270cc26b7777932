"""The shipped rule packs, one YAML file each."""
