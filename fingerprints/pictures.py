"""A spot's beginning as a picture: what is heard, which bits that gives and how sure they are, and how soon it is enough.

Of a reception also how clean each second of it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.coherence import BITS_SHARE, CHECK_FRAMES, LAG_SAMPLES, coherence_nats
from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.events import FollowEnd
from fingerprints.features import BITS, HIGHEST_HZ, HOP_SAMPLES, LAG_FRAMES, LOWEST_HZ, WINDOW_SAMPLES, FeatureStream, Floats
from fingerprints.heads import FILTER_ROWS
from fingerprints.library import Spot, SpotLibrary, read_recording
from fingerprints.onset import LOWER_BOUND_NATS, ROW_MOST_NATS, Onset, decided_sample, row_of
from fingerprints.prints import CLASS_EDGES_NATS, LOSSES, PHASE_SAMPLES, Print, anchor_row
from fingerprints.recogniser import Recogniser

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_IN: Final = (11.0, 9.0)
CONFIDENCES_IN: Final = 2.0
"""How much higher a picture of a reception is."""
DRAWN_LEAST_S: Final = 11.0
DOTS_AN_INCH: Final = 110
DRAWN_THRESHOLDS: Final = 3.0
"""How much evidence is drawn: what comes after the decision only flattens the picture."""
BEFORE_S: Final = 0.1
"""How much of what came before the spot is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How the evidence for a spot grew.

    Attributes:
        time_s: float64 [shape=(n_frames,)], seconds from the onset to the end of each frame.
        bits: float64 [shape=(n_frames,)], what the bits counted by then.
        nats: float64 [shape=(n_frames,)], the score by then: of bits and waveform.
        threshold: what decides.
        decided_s: when it was reached, None if never.
    """

    time_s: npt.NDArray[np.float64]
    bits: npt.NDArray[np.float64]
    nats: npt.NDArray[np.float64]
    threshold: float
    decided_s: float | None


def draw_spot(library: SpotLibrary, spot_id: str, out: Path, *, heard: str | None = None, seconds: float = 1.5) -> None:
    """Write the picture of a spot's beginning as a PNG file.

    Args:
        library: holds the spot; its size sets the threshold.
        spot_id: the spot.
        out: the file to write.
        heard: a recording in which the spot airs: that reception is drawn; None draws the reference itself.
        seconds: how much of the beginning.

    Raises:
        FingerprintsError: no such spot, it is not heard in the recording, or the file cannot be written.
    """
    spot = next((one for one in library.spots if one.id == spot_id), None)
    if spot is None:
        raise SpotError(f"{spot_id}: no such spot; there are {', '.join(one.id for one in library.spots) or 'none'}")
    reception = _reference(spot) if heard is None else _reception(library, spot, heard)
    pcm, onset_sample = reception.pcm, reception.onset_sample
    threshold = library.threshold
    evidence = evidence_of(spot.print, pcm, onset_sample=onset_sample, seconds=seconds, threshold=threshold)
    title = f"{spot_id}: {'its own recording' if heard is None else heard}"
    figure = _figure(spot.print, reception, evidence, seconds=seconds, title=title)
    try:
        figure.savefig(out, dpi=DOTS_AN_INCH, format="png")
    except OSError as error:
        raise FingerprintsError(f"{out}: it cannot be written ({error.strerror}); check the folder and its rights") from error


def evidence_of(print_: Print, pcm: Floats, *, onset_sample: int, seconds: float, threshold: float) -> Evidence:
    """How the evidence for a spot grows along one alignment, as the onset matcher counts it.

    Args:
        print_: the spot.
        pcm: float32 [shape=(n_samples,)], in which it airs.
        onset_sample: where it begins there.
        seconds: how far to count.
        threshold: what decides, nats.
    """
    first = max(0, onset_sample - round(BEFORE_S * SAMPLE_RATE_HZ))
    part = pcm[first : onset_sample + round(seconds * SAMPLE_RATE_HZ)]
    bits = FeatureStream().feed(part)
    onset = round((onset_sample - first) / PHASE_SAMPLES)
    phase, row = row_of(frame=bits.first_frame, onset=onset)
    scores = kernels.row_scores(print_.words[phase], print_.gains[phase], row, bits.signs, bits.stills, LOSSES)
    of_bits = BITS_SHARE * np.cumsum(np.minimum(scores, ROW_MOST_NATS), dtype=np.float64)
    ends = np.array([decided_sample(bits.first_frame + i) for i in range(len(bits))]) + first - onset_sample
    skipped = anchor_row(print_.gains[0])
    due = (row + np.arange(len(bits)) - skipped - FILTER_ROWS + 1) % CHECK_FRAMES == 0
    of_wave = np.zeros(len(bits))
    for i, end in enumerate(ends.tolist()):
        wave_first = onset_sample + skipped * HOP_SAMPLES
        heard = pcm[max(0, wave_first - LAG_SAMPLES) : onset_sample + end]
        late = row + i >= skipped + FILTER_ROWS - 1
        of_wave[i] = coherence_nats(print_.wave, heard=heard, skipped=0) if late and due[i] else of_wave[i - 1] if i else 0.0
    nats = of_bits + of_wave
    over = np.flatnonzero(nats >= threshold)
    time_s = ends / SAMPLE_RATE_HZ
    return Evidence(
        time_s=time_s, bits=of_bits, nats=nats, threshold=threshold, decided_s=float(time_s[over[0]]) if len(over) else None
    )


def signed_classes(print_: Print, *, rows: int) -> Floats:
    """The first rows of a print as one number a bit: its sign times its class of magnitude, -3 to 3.

    Returns:
        float32 [shape=(rows, BITS)]; a bit of class 0, which is not counted, is 0.
    """
    words = print_.words[0, :rows]
    signs, low, high = ((words[:, [i]] >> np.arange(BITS, dtype=np.uint32)) & 1 for i in range(3))
    values: Floats = ((2.0 * signs - 1.0) * (low + 2.0 * high)).astype(np.float32)
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reception:
    """Sound around a spot's onset; of a recording also how clean each second of the spot was."""

    pcm: Floats
    onset_sample: int
    end: FollowEnd | None = None


def _reference(spot: Spot) -> _Reception:
    pcm = read_recording(spot.path)
    lead = np.zeros(max(0, round(BEFORE_S * SAMPLE_RATE_HZ) - spot.print.lead_in_samples), np.float32)
    return _Reception(pcm=np.concatenate([lead, pcm]), onset_sample=spot.print.lead_in_samples + len(lead))


def _reception(library: SpotLibrary, spot: Spot, heard: str) -> _Reception:
    """A recording around the first airing of a spot in it, which is followed to its end."""
    from fingerprints.capture import Capture
    from timebase import SystemClock

    recogniser = Recogniser(library, feed_id=heard)
    parts: list[Floats] = []
    kept, first = 0, 0
    found: int | None = None
    end: FollowEnd | None = None
    with Capture(heard, clock=SystemClock()) as capture:
        for block in capture.blocks():
            if found is None or block.first_sample <= found + DRAWN_LEAST_S * SAMPLE_RATE_HZ:
                parts.append(block.pcm)
                kept += len(block.pcm)
            while found is None and kept - len(parts[0]) > 15 * SAMPLE_RATE_HZ:
                first += len(parts[0])
                kept -= len(parts.pop(0))
            events = recogniser.feed(block)
            if found is None:
                found = _onset_in(events, spot.id)
            end = end or _end_in(events, found)
            if end is not None and found is not None and block.first_sample > found + DRAWN_LEAST_S * SAMPLE_RATE_HZ:
                break
    if found is None:
        raise SpotError(f"{spot.id}: it is not heard in {heard}; name a recording in which it airs")
    return _Reception(pcm=np.concatenate(parts), onset_sample=found - first, end=end or _end_in(recogniser.finish(), found))


def _onset_in(events: Sequence[Onset | FollowEnd], spot_id: str) -> int | None:
    return next((event.onset_sample for event in events if isinstance(event, Onset) and spot_id in event.spot_ids), None)


def _end_in(events: Sequence[Onset | FollowEnd], onset_sample: int | None) -> FollowEnd | None:
    ends = (event for event in events if isinstance(event, FollowEnd))
    return next((end for end in ends if round(end.onset_s * SAMPLE_RATE_HZ) == onset_sample), None)


def _figure(print_: Print, reception: _Reception, evidence: Evidence, *, seconds: float, title: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    pcm, onset_sample = reception.pcm, reception.onset_sample
    if reception.end is None:
        figure = Figure(figsize=SIZE_IN, layout="constrained")
        sound, bits, growth = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2.5))
    else:
        figure = Figure(figsize=(SIZE_IN[0], SIZE_IN[1] + CONFIDENCES_IN), layout="constrained")
        sound, bits, growth, seconds_ = figure.subplots(4, 1, height_ratios=(3, 3, 2.5, 1.5))
        sound.sharex(growth)
        bits.sharex(growth)
        _draw_confidences(seconds_, reception.end)
    _draw_sound(sound, pcm, onset_sample, seconds)
    mesh = _draw_bits(bits, print_, seconds)
    bar = figure.colorbar(mesh, ax=bits, ticks=range(-3, 4), pad=0.01)
    bar.ax.set_yticklabels(["surely −", "likely −", "perhaps −", "not counted", "perhaps +", "likely +", "surely +"])
    _draw_evidence(growth, evidence)
    for axes in (sound, bits, growth):
        axes.axvline(0.0, color="black", linewidth=1.0)
        if evidence.decided_s is not None:
            axes.axvline(evidence.decided_s, color="tab:green", linewidth=1.6)
    sound.set_title(title)
    growth.set_xlabel("seconds from the first audible sample")
    growth.set_xlim(-BEFORE_S, seconds)
    growth.set_ylim(2 * BITS_SHARE * LOWER_BOUND_NATS, DRAWN_THRESHOLDS * evidence.threshold)
    growth.xaxis.set_major_locator(MaxNLocator(16))
    growth.xaxis.set_major_formatter(ScalarFormatter())
    growth.tick_params(labelbottom=True)
    return figure


def _draw_sound(axes: "Axes", pcm: Floats, onset_sample: int, seconds: float) -> None:
    import librosa
    import librosa.display

    first = max(0, onset_sample - round(BEFORE_S * SAMPLE_RATE_HZ))
    part = np.concatenate([pcm[first : onset_sample + round(seconds * SAMPLE_RATE_HZ)], np.zeros(WINDOW_SAMPLES, np.float32)])
    power = np.abs(librosa.stft(part, n_fft=WINDOW_SAMPLES, hop_length=HOP_SAMPLES)) ** 2
    level_db = librosa.power_to_db(power, ref=np.max, top_db=70.0)
    time_s = (np.arange(level_db.shape[1]) * HOP_SAMPLES + first - onset_sample) / SAMPLE_RATE_HZ
    librosa.display.specshow(
        level_db,
        x_coords=time_s,
        y_axis="mel",
        sr=SAMPLE_RATE_HZ,
        hop_length=HOP_SAMPLES,
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        cmap="magma",
        ax=axes,
    )
    axes.set_ylim(LOWEST_HZ, HIGHEST_HZ)
    axes.set_ylabel("Hz")


def _draw_bits(axes: "Axes", print_: Print, seconds: float) -> Any:
    from matplotlib.colors import BoundaryNorm

    values = signed_classes(print_, rows=round(seconds * SAMPLE_RATE_HZ / HOP_SAMPLES))
    # A row is drawn at the end of its frame: that is when the matcher knows it.
    ends = [decided_sample(row + LAG_FRAMES - 1) / SAMPLE_RATE_HZ for row in range(-1, len(values))]
    norm = BoundaryNorm(np.arange(-3.5, 4.0), 256)
    mesh = axes.pcolormesh(ends, np.arange(BITS + 1), values.T, cmap="RdBu_r", norm=norm, rasterized=True)
    axes.set_ylabel("bit (band pair, low to high)")
    edges = ", ".join(f"{edge:g}" for edge in CLASS_EDGES_NATS)
    axes.set_title(f"reference bits and their classes of magnitude (edges {edges} nats)", fontsize="medium")
    return mesh


def _draw_evidence(axes: "Axes", evidence: Evidence) -> None:
    axes.plot(evidence.time_s, evidence.nats, color="tab:blue", label="score: bits and waveform")
    axes.plot(evidence.time_s, evidence.bits, color="tab:blue", alpha=0.5, linewidth=1.0, label="of the bits")
    axes.axhline(evidence.threshold, color="tab:red", linestyle="--", label=f"threshold {evidence.threshold:.1f} nats")
    given_up = BITS_SHARE * LOWER_BOUND_NATS
    axes.axhline(given_up, color="tab:gray", linestyle=":", label=f"given up when the bits say {LOWER_BOUND_NATS:.0f} nats")
    if evidence.decided_s is not None:
        axes.plot([], [], color="tab:green", label=f"decided after {1000 * evidence.decided_s:.0f} ms")
    axes.set_ylabel("score, nats")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)


def _draw_confidences(axes: "Axes", end: FollowEnd) -> None:
    told = [(second, one) for second, one in enumerate(end.confidences) if one is not None]
    axes.bar([second + 0.5 for second, _ in told], [one for _, one in told], width=0.9, color="tab:blue")
    axes.axhline(
        end.confidence, color="tab:gray", linestyle=":", label=f"of all {end.coverage:.0%} that was heard: {end.confidence:.2f}"
    )
    axes.set_xlim(0, max(1, len(end.confidences)))
    axes.set_ylim(0, 1)
    axes.set_ylabel("confidence")
    until = "its end" if end.cut_s is None else "where it was broken off"
    axes.set_xlabel(f"seconds of {end.spot_id}, to {until}")
    axes.legend(loc="lower right")
