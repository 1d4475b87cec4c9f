"""What differs between sports: what one score may add, which way the clock counts, whether points begin again."""

from hardware.errors import SettingError

STEPS = {
    "football": (1,),
    "ice_hockey": (1,),
    "handball": (1,),
    "floorball": (1,),
    "water_polo": (1,),
    "volleyball": (1,),
    "fencing": (1,),
    "basketball": (1, 2, 3),
    "rugby": (2, 3, 5, 7),
    "american_football": (1, 2, 3, 6, 7, 8),
}
"""What one score may add. Rugby: conversion, penalty or drop goal, try, penalty try. American football: extra point, safety
or conversion, field goal, touchdown, and a touchdown entered together with what follows it."""

COUNTING_UP = frozenset({"football", "handball", "floorball", "rugby"})
"""Sports whose game clock counts up, so that it tells the minute. The others' count down, or there is none."""

IN_SETS = frozenset({"volleyball"})
"""Sports whose points begin at 0 again in each set; the board's period is the set."""

SET_ORDINALS = 100
"""In a sport in sets, a goal's ordinal counts this much for each set before: point 7 of set 2 is 107 whatever set 1 had."""


def steps_of(sport: str) -> tuple[int, ...]:
    """What one score may add in `sport`.

    Raises:
        SettingError: the sport is not known; the message names those that are.
    """
    try:
        return STEPS[sport]
    except KeyError:
        raise SettingError(f"sport {sport!r}: not known; use one of {', '.join(sorted(STEPS))}") from None
