"""Statements that the operator wrote, as actions on PostgreSQL and SQLite."""
