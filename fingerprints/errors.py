"""What can go wrong between sound and detections.

```
FingerprintsError
├── MediaError      a file or stream that cannot be read as audio
├── SpotError       a reference recording that cannot serve as a spot
├── PrintFileError  a cached print that is damaged or of another kind
└── CalibrationError  a calibration that is damaged, of another kind, or rests on too little
```
"""


class FingerprintsError(Exception):
    """Root of every deliberate error of `fingerprints`; `str` is one sentence for people."""


class MediaError(FingerprintsError):
    """A file or stream that cannot be read as audio."""


class SpotError(FingerprintsError):
    """A reference recording that cannot serve as a spot: unreadable, too short, silent, or its id is taken."""


class PrintFileError(FingerprintsError):
    """A cached print that is damaged, of another version, or made with other parameters."""


class CalibrationError(FingerprintsError):
    """A calibration that is damaged, was made with other parameters, or rests on too few coincidences."""
