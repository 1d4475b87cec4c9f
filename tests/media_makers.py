"""Pictures and videos made for the tests, so that none need be kept."""

import io

import av
import numpy as np
from PIL import Image


def png(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()


def mp4(
    width: int = 64,
    height: int = 64,
    *,
    seconds: float = 1.0,
    rate: int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    channels: str = "",
) -> bytes:
    """A video that grows lighter, with sound where a layout of channels is given."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video = container.add_stream(codec, rate=rate)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pixels
        sound = container.add_stream("aac", rate=48_000, layout=channels) if channels else None
        for number in range(round(seconds * rate)):
            shade = np.full((height, width, 3), number * 10 % 256, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(video.encode())
        if isinstance(sound, av.AudioStream):
            count = len(av.AudioLayout(channels).channels)
            frame = av.AudioFrame.from_ndarray(np.zeros((count, 1024), np.float32), format="fltp", layout=channels)
            frame.sample_rate = 48_000
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return out.getvalue()


def picture(width: int = 64, height: int = 48, *, form: str = "PNG", mode: str = "RGB") -> bytes:
    """An image of one colour."""
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, form)
    return out.getvalue()


def animation(width: int = 64, height: int = 48, *, frames: int = 3, form: str = "GIF") -> bytes:
    """Frames of different grey, a tenth of a second each."""
    out = io.BytesIO()
    images = [Image.new("L", (width, height), number * 37 % 256) for number in range(frames)]
    images[0].save(out, form, save_all=True, append_images=images[1:], duration=100)
    return out.getvalue()
