"""The HTTP face and the command line; `service.py` tells the story of a request."""
