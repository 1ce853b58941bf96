"""How one API process behaves; built once, in `__main__`, and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How one API process behaves. ARGOSY_API_* in the environment."""

    database_url: str = field(repr=False)
    """PostgreSQL, as a member of fleet_api."""
    blob_root: str
    """A folder, or a URL that obstore understands (`s3://bucket/prefix`)."""
    host: str = "127.0.0.1"
    """The address it listens on; 0.0.0.0: all there are."""
    port: int = 8080
    """The port; 0: any that is free."""
    max_blob_bytes: int = 2048 * MIB
    """Largest file one request may carry."""
    max_json_bytes: int = 8 * MIB
    """Largest body of any other request."""
    requests_per_s: int = 200
    """Most requests of one key; more are answered with 429 and `Retry-After`. 0: no limit."""
    bad_keys_per_min: int = 60
    """Most keys and sessions of one address that are none of ours; more are not looked up. 0: no limit."""
    pool_size: int = 10
    """Connections to the database, for reads and writes together."""
    pool_timeout_s: float = 5.0
    """How long a request waits for a connection before it is answered with 503."""
    statement_timeout_s: float = 30.0
    """How long the database may work on one statement of a request."""
    key_ttl_s: float = 5.0
    """How long a checked API key is believed; a revoked one works no longer than this."""
    poll_s: float = 0.3
    """How often the watched jobs are looked at, all in one query, while anybody watches."""
    keepalive_s: float = 15.0
    """A silent stream says that it lives this often."""
    metrics_age_s: float = 5.0
    """How old the numbers of the fleet may be that `/metrics` shows: scrapers share one look at the database."""
    sweep_s: float = 2.0
    """How often files are looked for that are to go from the store."""
    stop_s: float = 10.0
    """How long requests may take to end when the process is told to stop."""

    def __post_init__(self) -> None:
        for name in (
            "max_blob_bytes",
            "max_json_bytes",
            "pool_size",
            "pool_timeout_s",
            "poll_s",
            "keepalive_s",
            "sweep_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)}")
        for name in ("requests_per_s", "bad_keys_per_min"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (no limit) or more, got {getattr(self, name)}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be between 0 and 65535, got {self.port}")


def from_environment(environ: Mapping[str, str], /, **said: str | int | None) -> ApiSettings:
    """Settings from ARGOSY_API_*; what is *said* on the command line wins, None is "not said".

    Raises:
        ValueError: A value is missing or not usable; the text names the variable.
    """
    values: dict[str, str | int | float] = {}
    for each in fields(ApiSettings):
        variable = f"ARGOSY_API_{each.name.upper()}"
        raw = said.get(each.name)
        if raw is None:
            raw = environ.get(variable)
        if raw is None:
            continue
        kind: type[str | int | float] = {"int": int, "float": float}.get(str(each.type), str)
        try:
            values[each.name] = kind(raw)
        except ValueError as exc:
            raise ValueError(
                f"{variable} must be {'a whole number' if kind is int else 'a number'}, got {raw!r}"
            ) from exc
    for needed in ("database_url", "blob_root"):
        if needed not in values:
            raise ValueError(f"say --{needed.replace('_', '-')} or set ARGOSY_API_{needed.upper()}")
    return ApiSettings(**values)  # type: ignore[arg-type]  # each value was made by its field's own type
