"""What can be said: the plan language as frozen data."""
