"""Building blocks, one noun each; a block keeps what belongs together in one place."""
