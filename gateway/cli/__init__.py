"""The command line: a client of the gateway; what it prints, the API says."""
