"""One stored file as an HTTP response: its name, its type, its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.response import Stream

from api.store import BlobStore

BINARY = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,99}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,99}")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


_BYTES = {BINARY: OpenAPIMediaType(Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))}


@dataclass
class RawBody(Operation):
    """In OpenAPI: the body is the file's bytes, of whatever type the client says."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(content=_BYTES, required=True)


@dataclass
class RawAnswer(Operation):
    """In OpenAPI: the answer is the file's bytes; a `media_type` of the route would win over the file's own."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse):
            answer.content = _BYTES


def media_type_of(text: str | None) -> str:
    """What a sender says its file is, without parameters; anything odd is just bytes."""
    plain = (text or "").split(";")[0].strip()
    return plain if _MEDIA_TYPE.fullmatch(plain) else BINARY


def headers_of(*, sha256: str, size: int, media_type: str, name: str | None = None) -> dict[str, str]:
    """What is said of a file. Always an attachment, never sniffed: it is somebody's data, not our page."""
    headers = {
        "Content-Type": media_type_of(media_type),
        "Content-Length": str(size),
        "Content-Disposition": "attachment",
        "ETag": f'"{sha256}"',
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    if name is not None:
        leaf = name.rsplit("/", 1)[-1]
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(leaf, safe='')}"
    return headers


async def file_response(
    store: BlobStore,
    request: Request[Any, Any, Any],
    project_id: UUID,
    *,
    sha256: str,
    size: int,
    media_type: str,
    name: str | None = None,
) -> Response[Any]:
    """The file, the part that `Range` asks for, or 304 when the client has it already.

    Raises:
        NotFound: The store does not have it.
    """
    headers = headers_of(sha256=sha256, size=size, media_type=media_type, name=name)
    if headers["ETag"] in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        return Response(b"", status_code=304, headers={"ETag": headers["ETag"]})
    # A part of another file (an output is made anew when its job runs again) would be mixed with what the client has.
    same = request.headers.get("if-range", headers["ETag"]).strip() == headers["ETag"]
    part = _part(request.headers.get("range", ""), size) if same else None
    if part is not None:
        start, end = part
        headers["Content-Length"] = str(end - start)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = await store.read(project_id, sha256, part=part)
    return Stream(
        body, status_code=206 if part else 200, headers=headers, media_type=headers.pop("Content-Type")
    )


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for the whole file, as for all that is not one simple range."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= end:
        raise HTTPException(
            f"the file has {size} bytes", status_code=416, headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end
