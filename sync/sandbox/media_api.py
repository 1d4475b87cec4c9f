"""The sandbox's media endpoints: what is asked in JSON or as a form, and how X words the answers."""

import io
import json
from dataclasses import dataclass
from typing import Any

import python_multipart
from aiohttp import web

from sync.accounts import Credentials
from sync.sandbox import problems
from sync.sandbox.media import Upload, from_base64
from sync.sandbox.problems import Answer, as_json
from sync.sandbox.world import World

ROUTES = "/2/media/"
BODY_BYTES_MAX = 8 * 1024 * 1024
"""Longest body of a media request: a segment of 5 MB in base64, and a little."""


class MediaApi:
    """Answers what comes to `ROUTES`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, request: web.Request, account: Credentials, body: bytes) -> Answer:
        """The answer to a request whose signature holds.

        Raises:
            Problem: it is refused.
        """
        match request.method, request.path.removeprefix(ROUTES).strip("/").split("/"):
            case "POST", ["upload"]:
                upload = self._one_shot(account, _form(request, body))
            case "POST", ["upload", "initialize"]:
                upload = self._initialise(account, _form(request, body))
            case "POST", ["upload", media_id, "append"]:
                form = _form(request, body)
                upload = self._world.media.append(account, media_id, index=form.number("segment_index"), part=form.media())
                expires = {"expires_at": int(upload.expires_utc.timestamp())}
                return as_json(200, {"data": expires}, headers=self._world.count(account, "POST", "media append"))
            case "POST", ["upload", media_id, "finalize"]:
                upload = self._world.media.finalise(account, media_id)
            case "GET", ["upload"]:
                return self._status(request, account)
            case "POST", ["metadata"]:
                return self._describe(account, _form(request, body))
            case _:
                raise problems.no_route()
        headers = self._world.count(account, request.method, "media")
        return as_json(200, {"data": self._shown(upload)}, headers=headers)

    def _initialise(self, account: Credentials, form: "_Form") -> Upload:
        return self._world.media.initialise(
            account,
            media_id=self._world.next_id(),
            media_type=form.text("media_type"),
            category=form.text("media_category"),
            total_bytes=form.number("total_bytes"),
        )

    def _one_shot(self, account: Credentials, form: "_Form") -> Upload:
        content, shelf = form.media(), self._world.media
        upload = shelf.initialise(
            account,
            media_id=self._world.next_id(),
            media_type=form.text("media_type"),
            category=form.text("media_category"),
            total_bytes=len(content),
        )
        shelf.append(account, upload.media_id, index=0, part=content)
        return shelf.finalise(account, upload.media_id)

    def _status(self, request: web.Request, account: Credentials) -> Answer:
        if request.query.get("command", "STATUS") != "STATUS":
            raise problems.invalid("command", request.query["command"], "command: must be STATUS")
        headers = self._world.count(account, "GET", "media")
        upload = self._world.media.status(account, request.query.get("media_id", ""))
        return as_json(200, {"data": self._shown(upload)}, headers=headers)

    def _describe(self, account: Credentials, form: "_Form") -> Answer:
        headers = self._world.count(account, "POST", "media metadata")
        metadata = form.fields.get("metadata")
        alt_text = metadata.get("alt_text") if isinstance(metadata, dict) else None
        alt = alt_text.get("text") if isinstance(alt_text, dict) else None
        if not isinstance(alt, str):
            raise problems.invalid("metadata.alt_text.text", alt, "$.metadata.alt_text.text: must be a string")
        upload = self._world.media.describe(account, form.text("id"), alt=alt)
        data = {"id": upload.media_id, "associated_metadata": {"alt_text": {"text": upload.alt}}}
        return as_json(200, {"data": data}, headers=headers)

    def _shown(self, upload: Upload) -> dict[str, object]:
        left = upload.expires_utc - self._world.clock.utc()
        data: dict[str, object] = {
            "id": upload.media_id,
            "media_key": f"{3 if upload.category == 'tweet_image' else 7}_{upload.media_id}",
            "expires_after_secs": max(0, round(left.total_seconds())),
        }
        if upload.finalised_utc is not None:
            data["size"] = len(upload.content)
        processing = self._world.media.processing(upload)
        return data if processing is None else {**data, "processing_info": processing}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """The fields of a body, whichever way they came."""

    fields: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise problems.invalid(name, value, f"$.{name}: is missing but it is required")
        return value

    def number(self, name: str) -> int:
        value = self.fields.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise problems.invalid(name, value, f"$.{name}: must be an integer")
        return value

    def media(self) -> bytes:
        value = self.fields.get("media")
        return value if isinstance(value, bytes) else from_base64(self.text("media"))


def _form(request: web.Request, body: bytes) -> _Form:
    if request.content_type == "multipart/form-data":
        return _Form(fields=_parts(request.headers["Content-Type"], body))
    if request.content_type != "application/json":
        wanted = "The content type must be application/json or multipart/form-data."
        raise problems.invalid("Content-Type", request.content_type, wanted)
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise problems.invalid("body", "", "The request body is not valid JSON.") from error
    if not isinstance(fields, dict):
        raise problems.invalid("body", type(fields).__name__, "The request body must be a JSON object.")
    return _Form(fields=fields)


def _parts(content_type: str, body: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = {}

    def on_field(part: Any) -> None:
        fields[part.field_name.decode()] = part.value.decode() if part.field_name != b"media" else part.value

    def on_file(part: Any) -> None:
        part.file_object.seek(0)
        fields[part.field_name.decode()] = part.file_object.read()

    headers = {"Content-Type": content_type.encode(), "Content-Length": str(len(body)).encode()}
    try:
        python_multipart.parse_form(headers, io.BytesIO(body), on_field, on_file)
    except (ValueError, python_multipart.exceptions.FormParserError) as error:
        raise problems.invalid("body", "", "The request body is not a valid form.") from error
    return fields
