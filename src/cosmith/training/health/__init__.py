"""The training doctor: what a run is watched for, and why a step failed."""

from cosmith.training.health.checks import CHECKS, Case, Finding
from cosmith.training.health.diagnosis import HEALTH, Diagnosis, Diverged, diagnose, read_findings, write_diagnosis

__all__ = [
    "CHECKS",
    "HEALTH",
    "Case",
    "Diagnosis",
    "Diverged",
    "Finding",
    "diagnose",
    "read_findings",
    "write_diagnosis",
]
