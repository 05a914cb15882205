"""The training doctor: what a run is watched for, and why a step failed."""

from cosmith.training.health.advice import RULES, Advice, advise
from cosmith.training.health.checks import CHECKS, Case, Finding
from cosmith.training.health.diagnosis import HEALTH, Diagnosis, Diverged, diagnose, read_findings, write_diagnosis
from cosmith.training.health.history import FACTS, Evaluation, History, read_history
from cosmith.training.health.probe import PROBE, ProbeText, is_snapshot_step, probe_texts, read_snapshots, take_snapshot
from cosmith.training.health.watch import Before, Parameters, layer_groups, look_at_embeddings

__all__ = [
    "CHECKS",
    "FACTS",
    "HEALTH",
    "PROBE",
    "RULES",
    "Advice",
    "Before",
    "Case",
    "Diagnosis",
    "Diverged",
    "Evaluation",
    "Finding",
    "History",
    "Parameters",
    "ProbeText",
    "advise",
    "diagnose",
    "is_snapshot_step",
    "layer_groups",
    "look_at_embeddings",
    "probe_texts",
    "read_findings",
    "read_history",
    "read_snapshots",
    "take_snapshot",
    "write_diagnosis",
]
