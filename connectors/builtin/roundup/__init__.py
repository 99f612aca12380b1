"""Roundup, a tracker of issues, behind `ticketing`."""
