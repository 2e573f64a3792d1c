"""What hardware a demand needs."""
