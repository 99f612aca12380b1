"""What is accepted: every check a plan passes before it may run."""
