"""The training doctor: what a run is watched for, why a step failed, and what the figures of a run say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: who reads what a run wrote down does not pay for torch.
_PUBLIC = {
    "Advice": "cosmith.training.health.verdict",
    "Before": "cosmith.training.health.watch",
    "CHECKS": "cosmith.training.health.checks",
    "Case": "cosmith.training.health.checks",
    "Diagnosis": "cosmith.training.health.diagnosis",
    "Diverged": "cosmith.training.health.diagnosis",
    "Evaluation": "cosmith.training.health.history",
    "FACTS": "cosmith.training.health.history",
    "Finding": "cosmith.training.health.checks",
    "HEALTH": "cosmith.training.health.diagnosis",
    "History": "cosmith.training.health.history",
    "Pace": "cosmith.training.health.history",
    "PROBE": "cosmith.training.health.probe",
    "Parameters": "cosmith.training.health.watch",
    "ProbeText": "cosmith.training.health.probe",
    "RULES": "cosmith.training.health.advice",
    "advise": "cosmith.training.health.advice",
    "diagnose": "cosmith.training.health.diagnosis",
    "is_snapshot_step": "cosmith.training.health.probe",
    "layer_groups": "cosmith.training.health.watch",
    "look_at_embeddings": "cosmith.training.health.watch",
    "probe_texts": "cosmith.training.health.probe",
    "read_findings": "cosmith.training.health.diagnosis",
    "read_history": "cosmith.training.health.history",
    "read_probe_texts": "cosmith.training.health.probe",
    "read_snapshots": "cosmith.training.health.probe",
    "take_snapshot": "cosmith.training.health.probe",
    "write_diagnosis": "cosmith.training.health.diagnosis",
}

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
    "Pace",
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
    "read_probe_texts",
    "read_snapshots",
    "take_snapshot",
    "write_diagnosis",
]

if TYPE_CHECKING:
    from cosmith.training.health.advice import RULES, advise
    from cosmith.training.health.checks import CHECKS, Case, Finding
    from cosmith.training.health.diagnosis import HEALTH, Diagnosis, Diverged, diagnose, read_findings, write_diagnosis
    from cosmith.training.health.history import FACTS, Evaluation, History, Pace, read_history
    from cosmith.training.health.probe import (
        PROBE,
        ProbeText,
        is_snapshot_step,
        probe_texts,
        read_probe_texts,
        read_snapshots,
        take_snapshot,
    )
    from cosmith.training.health.watch import Before, Parameters, layer_groups, look_at_embeddings

__getattr__ = on_first_use(__name__, _PUBLIC)
