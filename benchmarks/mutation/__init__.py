"""How many small faults in the checks, and in policies, the suite and the tests find."""
