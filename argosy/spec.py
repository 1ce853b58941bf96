"""A job as its owner states it in Python, and the same as the API wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from argosy.errors import BadRequest
from argosy.models import Blob

if TYPE_CHECKING:
    from argosy.job import Job


@dataclass(frozen=True, slots=True)
class OutputOf:
    """A file that another job will make; made by `job.output(name)` or `spec.output(name)`."""

    job: Union[Job, JobSpec]  # noqa: UP007  # a forward reference cannot be joined with |
    name: str


@dataclass(frozen=True, slots=True)
class After:
    """A job to wait for, and until when: `After(train, "failed")`."""

    job: Union[Job, JobSpec, str]  # noqa: UP007  # as above
    when: str = "succeeded"
    """`succeeded`, `failed` (it failed or was cancelled), or `ended`."""


InputValue = Union[Path, bytes, Blob, OutputOf]  # noqa: UP007  # needed at runtime by type checkers of 3.11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobSpec:
    """One job to submit. What is left out is taken from its kind."""

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, InputValue] = field(default_factory=dict)
    """Files by the name under which the job finds them; paths and bytes are uploaded once."""
    after: Sequence[Job | JobSpec | str | After] = ()
    """All of them must succeed first, or end as an `After` says."""
    name: str | None = None
    priority: str | None = None
    """`low`, `normal`, `high` or `urgent`."""
    need: Mapping[str, Any] | None = None
    """`gpus`, `vram_mib`, `cpu_milli`, `ram_mib`, `disk_mib`, `device`, `labels`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    run_at: datetime | None = None
    start_by: datetime | None = None
    timeout_s: int | None = None
    retries: int | None = None
    exclusive: bool = False
    preemptible: bool = False
    """In class low, it may be asked to save a checkpoint and give way to urgent work; it goes on later."""
    webhook: str | None = None

    def output(self, name: str) -> OutputOf:
        """A file this job will make, as an input of another job of the same submission."""
        return OutputOf(self, name)


def as_json(specs: Sequence[JobSpec], upload: Callable[[Path | bytes], Blob]) -> list[dict[str, Any]]:
    """The jobs as the API wants them; *upload* is called for each file.

    Raises:
        BadRequest: A job points at one that is not in the same submission, or an input is no file.
    """
    refs = {id(spec): f"job{index}" for index, spec in enumerate(specs)}
    return [_one(spec, index, refs, upload) for index, spec in enumerate(specs)]


def _one(
    spec: JobSpec, index: int, refs: Mapping[int, str], upload: Callable[[Path | bytes], Blob]
) -> dict[str, Any]:
    where = f"jobs[{index}]"
    inputs: dict[str, dict[str, str]] = {}
    for name, value in spec.inputs.items():
        if isinstance(value, Blob):
            inputs[name] = {"sha256": value.sha256}
        elif isinstance(value, OutputOf):
            inputs[name] = {"job": _id(value.job, refs, f"{where}.inputs.{name}"), "output": value.name}
        elif isinstance(value, Path | bytes):
            inputs[name] = {"sha256": upload(value).sha256}
        else:
            raise BadRequest(
                f"a {type(value).__name__} is no file",
                code="bad_request",
                field=f"{where}.inputs.{name}",
                fix="Give a pathlib.Path, bytes, a Blob or job.output(name).",
            )
    stated: dict[str, Any] = {
        "params": dict(spec.params),
        "inputs": inputs,
        "after": [_edge(other, refs, f"{where}.after[{place}]") for place, other in enumerate(spec.after)],
        "tags": dict(spec.tags),
        "need": None if spec.need is None else dict(spec.need),
        "exclusive": spec.exclusive,
        "preemptible": spec.preemptible,
    }
    for plain in ("name", "priority", "run_at", "start_by", "timeout_s", "retries", "webhook"):
        stated[plain] = getattr(spec, plain)
    # By identity and by kind: 0 retries are said, and `0 in (None, False)` is true.
    said = {key: value for key, value in stated.items() if value is not None and value not in ({}, [])}
    return {"kind": spec.kind, "ref": refs[id(spec)], **said}


def _edge(other: Job | JobSpec | str | After, refs: Mapping[int, str], where: str) -> str | dict[str, str]:
    if isinstance(other, After):
        return {"job": _id(other.job, refs, where), "when": other.when}
    return _id(other, refs, where)


def _id(other: Job | JobSpec | str, refs: Mapping[int, str], where: str) -> str:
    if isinstance(other, str):
        return other
    if isinstance(other, JobSpec):
        if id(other) not in refs:
            raise BadRequest(
                "it points at a JobSpec that is not in this submission",
                code="bad_request",
                field=where,
                fix="Submit both in one submit_many, or give the Job that submit returned.",
            )
        return refs[id(other)]
    return other.id
