"""Whether the header of an MP3 file tells its length, which libsndfile needs to decode all of it."""

from pathlib import Path

_TAGS = (b"Xing", b"Info")
_HEAD_BYTES = 4096
_HAS_FRAMES, _HAS_BYTES = 1, 2
_OTHER_TAGS_BYTES = 1 << 13  # ID3v1, APE and lyrics at the end of a file


def tells_its_length(path: Path) -> bool:
    """Return whether a tag Xing or Info in the first frame counts the frames, and covers the file.

    Without it, libsndfile estimates the length from the first frame's bit rate and stops decoding there,
    which loses sound where the bit rate varies. Files joined by `cat` have the count of the first one alone.
    Layout: an ID3v2 tag with its size in 4 * 7 bits at byte 6; then the first frame, where the tag is
    followed by 32 bits of flags, then frames and bytes, if the flags say so.
    """
    with path.open("rb") as file:
        head = file.read(10)
        start = 0
        if head[:3] == b"ID3" and len(head) == 10:
            start = 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
        file.seek(start)
        frame = file.read(_HEAD_BYTES)
        size = file.seek(0, 2) - start
    place = max(frame.find(tag) for tag in _TAGS)
    fields = [int.from_bytes(frame[at : at + 4], "big") for at in range(place + 4, place + 16, 4)]
    flags, _, counted = fields
    if place < 0 or not flags & _HAS_FRAMES:
        return False
    return not flags & _HAS_BYTES or size <= counted * 1.01 + _OTHER_TAGS_BYTES
