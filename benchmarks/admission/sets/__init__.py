"""The data sets: one module each, with its converter and a list `SETS`."""
