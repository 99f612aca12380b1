"""The closed catalogue of typed pure functions, `fn.*`."""
