"""Which cases to annotate next: SLPT's third part, TESLA."""

__all__: list[str] = []
