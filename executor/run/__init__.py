"""What happens then: events, state, decisions, and the one place that acts."""
