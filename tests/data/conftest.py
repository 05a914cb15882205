"""Properties are tested without a limit of time, since the machine may be busy."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
