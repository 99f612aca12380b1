"""HTTP routes: they read, call and render; they decide nothing."""
