"""Tally: which of a mixer's sources is on air, told by the TSL UMD protocol.

mixer ─► UDP, TCP ─► DatagramDecoder, StreamDecoder ─► TallyListener ─► TallyStatus
         listening   umd
"""

from hardware.tally.status import TallyState, TallyStatus

__all__ = ["TallyState", "TallyStatus"]
