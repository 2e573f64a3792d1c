"""What is read off logs of real requests."""
