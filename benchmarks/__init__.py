"""Measurements: ratios against a named peer or a fixed yardstick, and verdicts over real data."""
