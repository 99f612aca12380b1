"""How long it is kept what somebody may ask for again."""

KEPT_S = 30 * 24 * 3600.0  # an answer to a POST request, for its Idempotency-Key
LEAST_S = KEPT_S  # a run: an answer that is given again within this time names it
