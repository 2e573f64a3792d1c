"""The algebra of costs, and the kinds that come with the library."""
