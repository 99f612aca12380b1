"""Who calls drive."""
