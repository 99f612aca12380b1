"""Addresses that should not be reached and answers that should not be read: figures for both."""
