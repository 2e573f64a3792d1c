"""Records, the plugins that bring them, and how they are looked up."""
