"""Where it lives: all tables, the one migration chain, the one writer, the queries."""
