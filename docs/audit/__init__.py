"""The audit of the two source documents; see `audit.page`."""
