"""Argosy from Python: submit jobs to the fleet, watch them, fetch what they made.

import argosy

client = argosy.Client()
job = client.submit("command", params={"argv": ["nvidia-smi"]})
job.wait()
job.download("out")
"""

from argosy.client import Client
from argosy.erasures import Receipt
from argosy.errors import (
    ArgosyError,
    Away,
    BadRequest,
    Conflict,
    JobFailed,
    NotAllowed,
    NotAuthenticated,
    NotConfigured,
    NotFound,
    OutputsLeft,
    Unreachable,
    WaitTimeout,
)
from argosy.job import Job
from argosy.models import Attempt, Blob, Device, Edge, JobEvent, JobInfo, LogChunk, Node, Output, Progress
from argosy.oncall import Bulk, DeadJob, FleetInfo, Kind, LearnedNeed, Policy
from argosy.questions import Bounds, Eta, Fit, Reason, Why
from argosy.schedules import ScheduleInfo
from argosy.spec import After, JobSpec, OutputOf

__all__ = [
    "After",
    "ArgosyError",
    "Attempt",
    "Away",
    "BadRequest",
    "Blob",
    "Bounds",
    "Bulk",
    "Client",
    "Conflict",
    "DeadJob",
    "Device",
    "Edge",
    "Eta",
    "Fit",
    "FleetInfo",
    "Job",
    "JobEvent",
    "JobFailed",
    "JobInfo",
    "JobSpec",
    "Kind",
    "LearnedNeed",
    "LogChunk",
    "Node",
    "NotAllowed",
    "NotAuthenticated",
    "NotConfigured",
    "NotFound",
    "Output",
    "OutputOf",
    "OutputsLeft",
    "Policy",
    "Progress",
    "Reason",
    "Receipt",
    "ScheduleInfo",
    "Unreachable",
    "WaitTimeout",
    "Why",
]
