"""How many approved texts the cues of the ledger still have for the airings of their spots."""

from collections.abc import Iterator

from schedules import Supply
from sync.conditions import SpotCondition
from sync.cues import Cue
from sync.firings import Firings
from sync.ledger import Ledger
from sync.states import Mode


def supplies_of(ledger: Ledger) -> Iterator[Supply]:
    """One for each cue that fires on every airing of its spots and uses each text once.

    Cues that fire on some airings only, or whose texts may serve again, need fewer texts than airings and are left out.
    """
    mode = Mode.REHEARSAL if ledger.switch().mode is Mode.REHEARSAL else Mode.LIVE
    firings = Firings(ledger, epoch=0, boot_id="supplies")
    for stored in ledger.cues():
        on = stored.cue.on
        if isinstance(on, SpotCondition) and _uses_one_text_an_airing(stored.cue, on):
            used = len(firings.used_texts([stored.cue], [mode]))
            left = len(stored.cue.variants) - used if stored.approved else 0
            yield Supply(cue_id=stored.cue.cue_id, channel=on.channel, spot_ids=frozenset(on.spots), texts_left=left)


def _uses_one_text_an_airing(cue: Cue, on: SpotCondition) -> bool:
    return not on.first_in_day and on.every == 1 and not cue.duplicate_window_h
