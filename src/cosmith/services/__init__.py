"""Services that others run: where a model answers, and how it is asked."""

from cosmith.services.client import (
    FailedRequestError,
    RefusedRequestError,
    ServiceClient,
    UnreadableAnswerError,
    require_askable,
    run_to_end,
)
from cosmith.services.service import EndpointError, Service, is_address

__all__ = [
    "EndpointError",
    "FailedRequestError",
    "RefusedRequestError",
    "Service",
    "ServiceClient",
    "UnreadableAnswerError",
    "is_address",
    "require_askable",
    "run_to_end",
]
