"""Providers of payments behind `payments`: Stripe, PayPal, and the two of the demo's shop."""
