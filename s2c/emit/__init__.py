"""Plan -> source files."""
