"""The error bodies X answers with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

_TYPES = "https://api.twitter.com/2/problems/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer before it is written."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    tweet_id: str | None = None


class Problem(Exception):  # noqa: N818  # the word of RFC 9457, which these bodies follow
    """A request the sandbox refuses, with the answer that says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def as_json(status: int, value: object, *, tweet_id: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body in the form X uses: compact, UTF-8, not escaped."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, body=body, tweet_id=tweet_id, headers=headers or {})


def _problem(status: int, title: str, detail: str, kind: str = "about:blank") -> Problem:
    return Problem(as_json(status, {"title": title, "detail": detail, "type": kind, "status": status}))


def unauthorized() -> Problem:
    """No credentials at all."""
    return _problem(401, "Unauthorized", "Unauthorized")


def not_authenticated(code: int, message: str) -> Problem:
    """Credentials that do not hold: 32 signature, 89 token, 135 timestamp or nonce."""
    return Problem(as_json(401, {"errors": [{"code": code, "message": message}]}))


def app_only() -> Problem:
    """A bearer token where a user is needed."""
    detail = (
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication types"
        " are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
    )
    return _problem(403, "Unsupported Authentication", detail, _TYPES + "unsupported-authentication")


def missing_scope() -> Problem:
    """A user's token that was not granted what the endpoint needs."""
    return _problem(403, "Forbidden", "Forbidden")


def token_refused(description: str) -> Problem:
    """The token endpoint's refusal of what is in the form: X calls nearly everything an invalid request."""
    return Problem(as_json(400, {"error": "invalid_request", "error_description": description}))


def client_refused() -> Problem:
    """The token endpoint's refusal of a confidential client without its secret."""
    body = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
    return Problem(as_json(401, body))


def read_only_app() -> Problem:
    """The app may not write."""
    detail = "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint."
    return Problem(as_json(403, {"title": "Forbidden", "detail": detail, "type": _TYPES + "oauth1-permissions", "status": 403}))


def duplicate() -> Problem:
    """The text was posted before."""
    return _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")


def too_long() -> Problem:
    """More than 280 weighted characters."""
    detail = (
        "Your Tweet text is too long. For more information on how Twitter determines text length see"
        " https://github.com/twitter/twitter-text."
    )
    return _problem(403, "Forbidden", detail)


def forbidden() -> Problem:
    """Another user's tweet, for instance."""
    return _problem(403, "Forbidden", "You are not permitted to perform this action.")


def invalid(parameter: str, value: object, message: str) -> Problem:
    """A field that is unknown or has a wrong value."""
    body = {
        "errors": [{"parameters": {parameter: [str(value)[:100]]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": _TYPES + "invalid-request",
    }
    return Problem(as_json(400, body))


def invalid_media(media_id: str) -> Problem:
    """A media id that is unknown, another account's, expired, unfinished or failed: X says the same of all."""
    return invalid("media.media_ids", f"[{media_id}]", "Your media IDs are invalid.")


def not_found(parameter: str, value: str, resource: str) -> Problem:
    """A tweet or user that is not there."""
    body = {
        "title": "Not Found Error",
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "type": _TYPES + "resource-not-found",
        "status": 404,
        "resource_type": resource,
        "parameter": parameter,
        "value": value,
    }
    return Problem(as_json(404, body))


def no_route() -> Problem:
    """A path the sandbox does not know."""
    return _problem(404, "Not Found", "The sandbox has no such endpoint; docs/sandbox.md lists them.")


def credits_depleted(user_id: str) -> Problem:
    """Nothing left to pay with."""
    body = {
        "account_id": int(user_id),
        "title": "CreditsDepleted",
        "detail": f"Your enrolled account [{user_id}] does not have any credits to fulfill this request.",
        "type": _TYPES + "credits",
    }
    return Problem(as_json(402, body))


def too_many_requests(headers: Mapping[str, str]) -> Problem:
    """A window is used up."""
    body = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
    return Problem(as_json(429, body, headers=headers))


def html_503() -> Answer:
    """What an edge answers by itself."""
    body = b"<!DOCTYPE html><html><head><title>X / Over capacity</title></head><body>Over capacity</body></html>"
    return Answer(status=503, body=body, content_type="text/html")
