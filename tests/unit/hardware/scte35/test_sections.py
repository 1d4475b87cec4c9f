"""Sections and identifiers, case by case."""

import pytest

from hardware.scte35 import Command, SectionError, decode_section, section_from_text
from hardware.scte35.upids import upids_of
from tests.transport_maker import insert, message, segmentation, signal, with_checksum

WRAP = 1 << 33


def test_adjustment_goes_around_the_33_bits() -> None:
    """A time shortly before the wrap, adjusted past it, is a small one."""
    decoded = decode_section(insert(1, WRAP - 100, adjustment=300))

    assert decoded.splice is not None
    assert decoded.splice.splice_pts == 200


def test_time_signal_without_a_time_means_now() -> None:
    """A splice_time may say that no time is told."""
    decoded = decode_section(signal(None, segmentation(7, 0x30), adjustment=300))

    assert (decoded.signal_pts, decoded.segmentations[0].type_id) == (None, 0x30)


def test_components_instead_of_the_whole_programme() -> None:
    """A splice of single components has the first one's instant."""
    body = (
        (9).to_bytes(4, "big")
        + b"\x7f\x8f"
        + b"\x02"
        + b"\x01\xfe\x00\x00\x10\x00"
        + b"\x02\xfe\x00\x00\x20\x00"
        + b"\x00\x01\x00\x00"
    )
    splice = decode_section(message(5, body)).splice

    assert splice is not None
    assert (splice.splice_pts, splice.unique_program_id) == (0x1000, 1)


def test_segmentation_of_components_is_read_past_them() -> None:
    """What stands behind the components' offsets is found."""
    body = b"CUEI" + (5).to_bytes(4, "big") + b"\x7f\x3f\x01" + b"\x01" + b"\xfe\x00\x00\x00\x00" + b"\x00\x00\x34\x01\x02"
    (one,) = decode_section(signal(1, bytes([2, len(body)]) + body)).segmentations

    assert (one.type_id, one.segment_number, one.segments_expected) == (0x34, 1, 2)


def test_descriptor_that_is_cut_short_leaves_the_rest() -> None:
    """One bad descriptor is told of; the others and the command stand."""
    bad = b"\x02\x0aCUEI\x00\x00\x00\x01\x7f\xff"
    decoded = decode_section(signal(5, bad, segmentation(8, 0x22)))

    assert [one.event_id for one in decoded.segmentations] == [8]
    assert decoded.faults == ("descriptor 02 is cut short",)


def test_private_descriptor_is_left_out() -> None:
    """Only SCTE's own descriptors are read."""
    decoded = decode_section(signal(5, b"\x02\x06ABCD\x00\x00"))

    assert (decoded.segmentations, decoded.faults) == ((), ())


def test_encrypted_message_says_nothing() -> None:
    """What is encrypted is not guessed at."""
    section = bytearray(insert(1, 5)[:-4])
    section[4] |= 0x80
    section[1:3] = b"\x30\x00"
    decoded = decode_section(with_checksum(bytes(section)))

    assert decoded.encrypted
    assert (decoded.command, decoded.splice) == (Command.SPLICE_INSERT, None)


@pytest.mark.parametrize(
    ("section", "what"),
    [
        (b"", "0 bytes"),
        (b"\x00" * 20, "table 00"),
        (insert(1, 5)[:-1], "its length says"),
        (insert(1, 5)[:-1] + b"\x00", "checksum"),
        (message(0x77, b""), "command 77 is reserved"),
        (message(5, b"\x00"), "run past its end"),
    ],
)
def test_what_is_no_message(section: bytes, what: str) -> None:
    """The reason is named."""
    with pytest.raises(SectionError, match=what):
        decode_section(section)


def test_another_protocol_version_is_refused() -> None:
    """What a later version means is not known."""
    section = bytearray(insert(1, 5)[:-4])
    section[3] = 1
    section[1:3] = b"\x30\x00"
    with pytest.raises(SectionError, match="protocol version 1"):
        decode_section(with_checksum(bytes(section)))


@pytest.mark.parametrize(
    "text", ["/DAbAAAAAAAAAP/wCgUAAABnf98AAAAAAACBZZmC", "0xFC301B00 000000000000FFF00A05000000677FDF00000000000081659982"]
)
def test_base64_and_hex(text: str) -> None:
    """Both ways in which people write messages."""
    assert decode_section(section_from_text(text)).command is Command.SPLICE_INSERT


@pytest.mark.parametrize("text", ["", "no message!", "/" * (1 << 21)])
def test_text_that_is_no_message(text: str) -> None:
    """It is said, whatever it is."""
    with pytest.raises(SectionError):
        section_from_text(text)


@pytest.mark.parametrize(
    ("kind", "data", "name", "text"),
    [
        (0x02, b"ABCD1234", "isci", "ABCD1234"),
        (0x03, b"ABCD1234000H", "ad_id", "ABCD1234000H"),
        (0x03, b"ABCD1234000 ", "ad_id", "ABCD1234000"),
        (0x03, b"\x00\x01", "ad_id", "0001"),
        (0x0A, bytes.fromhex("1478779185342c2390308610"), "eidr", "10.5240/7791-8534-2C23-9030-8610-5"),
        (0x0A, b"\x14", "eidr", "14"),
        (0x0F, b"urn:x:1", "uri", "urn:x:1"),
        (0x0F, b"\xff\xfe", "uri", "fffe"),
        (0x10, bytes(range(16)), "uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (0x08, bytes.fromhex("000000002ca0a18a"), "turner_id", "748724618"),
        (0x0C, b"MDSNB0011", "mpu", "B0011"),
        (0x77, b"\x01", "type_77", "01"),
    ],
)
def test_identifiers_as_people_write_them(kind: int, data: bytes, name: str, text: str) -> None:
    """Each kind has its form; what does not fit it is shown in hex digits."""
    (upid,) = upids_of(kind, data)

    assert (upid.kind, upid.text) == (name, text)


def test_list_of_identifiers() -> None:
    """A list gives each of its own; one that is cut short ends it, and a list in a list is left out."""
    data = b"\x03\x02AB" + b"\x0d\x02\x03\x00" + b"\x02\x01C" + b"\x0f\x09xy"

    assert [(one.kind, one.text) for one in upids_of(0x0D, data)] == [("ad_id", "AB"), ("isci", "C")]


def test_no_identifier() -> None:
    """A field that is not used says nothing."""
    assert upids_of(0, b"") == upids_of(3, b"") == ()
