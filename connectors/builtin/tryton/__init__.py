"""Commerce and accounting over Tryton's REST interface, a process of its own."""
