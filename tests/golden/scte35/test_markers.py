"""Recorded markers, against expectations that were not made with this decoder."""

import json
from pathlib import Path
from typing import Any

import pytest

from hardware.scte35 import Command, HeardMessage, SectionError, TransportDecoder, decode_section, section_from_text
from hardware.scte35.facts import type_name

HERE = Path(__file__).parent
EXAMPLES = json.loads((HERE / "spec_section14.json").read_text())
SECTIONS = json.loads((HERE / "sections.json").read_text())


def heard_in(name: str, decoder: TransportDecoder) -> list[HeardMessage]:
    """Every message of a recording."""
    return [event for event in decoder.feed((HERE / name).read_bytes()) if isinstance(event, HeardMessage)]


def test_generated_stream_gives_its_undamaged_messages() -> None:
    """Eleven of twelve messages come, bit for bit and in order; the one with a wrong checksum does not."""
    truth = json.loads((HERE / "generated.truth.json").read_text())
    decoder = TransportDecoder()
    heard = heard_in("generated.ts", decoder)

    assert [one.message.section.hex() for one in heard] == [
        cue["section_hex"] for cue in truth["cues"] if "broken" not in cue["note"]
    ]
    assert (decoder.good_sections, decoder.bad_sections, decoder.last_fault) == (11, 1, "its checksum is wrong")
    assert {one.pid for one in heard} == {truth["scte35_pid"]}
    for one, cue in zip(heard, truth["cues"], strict=False):
        assert one.clock_pts is not None
        assert 0 <= cue["at_pts"] - one.clock_pts < 45_000


def test_generated_stream_says_what_its_author_meant() -> None:
    """Times, durations, identifiers and adjustment come out as they went in."""
    heard = [one.message for one in heard_in("generated.ts", TransportDecoder())]
    out, back, opportunity = heard[1].splice, heard[3].splice, heard[4]
    assert out is not None
    assert back is not None
    assert (out.event_id, out.out, out.splice_pts, out.duration_ticks, out.auto_return) == (101, True, 543_600, 450_000, True)
    assert (back.event_id, back.out, back.splice_pts) == (102, False, 993_600)
    assert opportunity.signal_pts == 1_263_600
    upids = [upid for message in heard for one in message.segmentations for upid in one.upids]
    assert [(upid.kind, upid.text) for upid in upids] == [
        ("ad_id", "ABCD0123456H"),
        ("ad_id", "ABCD0123456H"),
        ("eidr", "10.5240/F85A-E100-B068-5B8F-295E-G"),
        ("uuid", "6cbd0441-7882-44cd-9557-842243a0d618"),
        ("isci", "ISCI1234"),
    ]
    immediate, canceled, adjusted = heard[8].splice, heard[9].splice, heard[10]
    assert immediate is not None
    assert immediate.immediate
    assert immediate.splice_pts is None
    assert canceled is not None
    assert (canceled.event_id, canceled.canceled) == (104, True)
    assert adjusted.signal_pts == 1000 + adjusted.pts_adjustment == 1_713_600


def test_stream_without_registration_is_read() -> None:
    """Type 86 without CUEI is looked into as well, and said to be so."""
    (one,) = heard_in("eyevinn.ts", TransportDecoder())
    splice = one.message.splice

    assert splice is not None
    assert (one.registered, splice.event_id, splice.splice_pts, splice.duration_ticks) == (False, 255, 1_032_000, 1_800_000)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["id"])
def test_examples_of_the_standard(example: dict[str, Any]) -> None:
    """Each says the command and the segmentation types of its title."""
    message = decode_section(section_from_text(example["b64"]))
    title = example["name"].lower()

    assert message.command == Command(example["command"])
    assert not message.faults
    for one in message.segmentations:
        words = type_name(one.type_id).removeprefix("provider ").split()
        assert all(word in title for word in words), type_name(one.type_id)


def test_checksums_of_152_sections() -> None:
    """A section is decoded exactly when its checksum is right."""
    for one in SECTIONS:
        section = bytes.fromhex(one["hex"])
        if one["crc_ok"]:
            assert decode_section(section).section.hex() == one["hex"]
        else:
            with pytest.raises(SectionError):
                decode_section(section)
