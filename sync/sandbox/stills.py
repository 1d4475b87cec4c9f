"""The picture of a tweet's media for the timeline page: images as they are, of a video its first frame."""

import io

import av

from sync.sandbox.media import Upload


def picture(upload: Upload) -> tuple[bytes, str]:
    """The picture's bytes and media type; decodes a video's first frame, so not for the event loop.

    Raises:
        ValueError: there is nothing to be seen in it.
    """
    if upload.media_type != "video/mp4":
        return upload.content, upload.media_type
    try:
        with av.open(io.BytesIO(upload.content), "r") as container:
            frame = next(container.decode(video=0))
            out = io.BytesIO()
            frame.to_image().save(out, "JPEG", quality=85)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
    except (av.FFmpegError, IndexError, StopIteration) as error:
        raise ValueError(f"media {upload.media_id}: no frame could be decoded") from error
    return out.getvalue(), "image/jpeg"
