"""Plans over the HTTP API: sent as a file, shown beside what stands, imported, compared, rolled back."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from console.errors import ConsoleError
from console.plan_options import choices_of
from console.plan_work import PlanWork, Upload
from console.web.api import ERRORS, LoggedIn, Operator, OperatorSession
from schedules import SchedulesError
from sync.errors import LedgerError, PlanError

T = TypeVar("T")
router = APIRouter(prefix="/api/v1/plans", tags=["plans"], responses=ERRORS)
_SHEETS = {".csv": "text/csv; charset=utf-8", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

_FILE: dict[str, Any] = {"requestBody": {"content": {"application/octet-stream": {}}, "required": True}}

PlanId = Annotated[str, PathParameter(max_length=200)]
Number = Annotated[int, Query(ge=1, le=10**9)]
Short = Annotated[str, Query(max_length=200)]
Base = Annotated[int, Query(ge=0, le=10**9, description="Number of the version that was newest when the changes were shown.")]
Drops = Annotated[int, Query(ge=0, le=10**9, description="How many airings may be dropped: as many as were shown.")]


class Rollback(BaseModel):
    """Go back to a version. `base` and `drops_max` as for an import."""

    model_config = ConfigDict(extra="forbid")
    number: int = Field(ge=1, le=10**9)
    base: int = Field(ge=0, le=10**9)
    drops_max: int = Field(ge=0, le=10**9)


def work_of(request: Request) -> PlanWork:
    """The application's plans.

    Raises:
        HTTPException: it has none (503).
    """
    work = request.app.state.plans
    if not isinstance(work, PlanWork):
        raise HTTPException(503, "this console was started without a configuration; plans are imported where there is one")
    return work


async def upload_of(
    request: Request,
    *,
    file: Annotated[str, Query(min_length=1, max_length=200, description="The file's name.")],
    plan: Annotated[str, Query(max_length=200, description="The plan it is; else the file's name without suffix.")] = "",
    layout: Short = "",
    sheet: Short = "",
    zone: Short = "",
    day_start: Short = "",
    date_order: Literal["", "dmy", "mdy"] = "",
    small_hours: Literal["refuse", "next"] = "refuse",
    columns: Annotated[list[str] | None, Query(alias="map", max_length=64)] = None,
    constants: Annotated[list[str] | None, Query(alias="set", max_length=20)] = None,
) -> Upload:
    """The file that is the request's body, with what is said of it; the words are those of `cuebird schedule`.

    Raises:
        HTTPException: it cannot be meant so (422).
    """
    try:
        choices = choices_of(
            layout=layout, columns=columns, constants=constants, date_order=date_order or None, zone=zone, day_start=day_start,
            small_hours=small_hours, sheet=sheet,
        )  # fmt: skip
    except SchedulesError as error:
        raise HTTPException(422, str(error)) from error
    return Upload(data=await request.body(), name=file, plan_id=plan, choices=choices)


Work = Annotated[PlanWork, Depends(work_of)]
Sent = Annotated[Upload, Depends(upload_of)]


@router.post("/preview", openapi_extra=_FILE, dependencies=[Operator])
async def preview(request: Request, work: Work, upload: Sent) -> dict[str, Any]:
    """How a plan's file is read, what is wrong with it, and what importing it would change. Nothing does."""
    return await _in_turn(request, lambda: work.preview(upload))


@router.post("/problems", openapi_extra=_FILE, dependencies=[Operator])
async def problems(request: Request, work: Work, upload: Sent, suffix: Literal[".csv", ".xlsx"] = ".csv") -> Response:
    """The file's rows with the problems beside them, to be mended and sent again."""
    return Response(await _in_turn(request, lambda: work.problems(upload, suffix)), media_type=_SHEETS[suffix])


@router.post("/import", openapi_extra=_FILE)
async def import_plan(
    request: Request, *, work: Work, session: OperatorSession, upload: Sent, base: Base, drops_max: Drops
) -> dict[str, Any]:
    """Import a plan's file, all of it or nothing, as it was shown: another import in between refuses it."""
    actor = session.person.name
    return await _in_turn(request, lambda: work.commit(upload, actor=actor, base=base, drops_max=drops_max))


@router.get("", dependencies=[LoggedIn])
async def plans(request: Request, work: Work) -> dict[str, Any]:
    """The newest version of each plan."""
    return await _in_turn(request, work.plans)


@router.get("/{plan}/versions", dependencies=[LoggedIn])
async def versions(request: Request, work: Work, plan: PlanId) -> dict[str, Any]:
    """Every version of a plan, newest first: who, when, which file, what it changed."""
    return await _in_turn(request, lambda: work.versions(plan))


@router.get("/{plan}/changes", dependencies=[LoggedIn])
async def changes(request: Request, work: Work, plan: PlanId, older: Number, newer: Number) -> dict[str, Any]:
    """What changed from one version of a plan to another."""
    return await _in_turn(request, lambda: work.between(plan, older, newer))


@router.get("/{plan}/rollback", dependencies=[LoggedIn])
async def preview_rollback(request: Request, work: Work, plan: PlanId, number: Number) -> dict[str, Any]:
    """What going back to a version would change. Nothing does."""
    return await _in_turn(request, lambda: work.preview_rollback(plan, number))


@router.post("/{plan}/rollback")
async def roll_back(request: Request, work: Work, session: OperatorSession, plan: PlanId, order: Rollback) -> dict[str, Any]:
    """Make an earlier version stand again, as a new one."""
    actor, number = session.person.name, order.number
    return await _in_turn(request, lambda: work.roll_back(plan, number, actor=actor, base=order.base, drops_max=order.drops_max))


async def _in_turn(request: Request, call: Callable[[], T]) -> T:
    """The result of a call that may take seconds, in a thread, one at a time: pages go on meanwhile."""
    try:
        async with request.app.state.plan_turn:
            return await asyncio.to_thread(call)
    except SchedulesError as error:
        raise HTTPException(422, str(error)) from error
    except PlanError as error:
        raise HTTPException(409, str(error)) from error
    except (LedgerError, ConsoleError) as error:
        raise HTTPException(503, str(error)) from error
