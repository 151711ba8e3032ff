"""How hypothesis tries examples: a machine that stands still for a moment is no finding."""

from hypothesis import HealthCheck, settings

settings.register_profile("drover", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("drover")
