"""Cross-encoders: a query and a document read together → how well the one answers the other."""

from cosmith.models.cross_encoder.encoder import CrossEncoder

__all__ = ["CrossEncoder"]
