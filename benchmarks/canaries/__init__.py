"""Secrets that services quote back in every way that they can: none may be found anywhere."""
