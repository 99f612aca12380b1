"""What admission accepts and refuses of plans that nobody here wrote."""
