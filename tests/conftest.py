"""Hypothesis profiles: the everyday one, `nightly` with twenty times the examples, and `few`."""

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("default"), max_examples=2000)
settings.register_profile("few", settings.get_profile("default"), max_examples=5)
settings.load_profile("default")
