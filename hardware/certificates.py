"""When our own certificate at the broker ends: said in good time, because from that day on nobody is let in with it."""

from datetime import datetime
from typing import Final

from hardware.errors import SettingError
from hardware.mqtt import BrokerAddress

WARNED_DAYS: Final = 30


def certificate_end(address: BrokerAddress) -> datetime | None:
    """When the certificate of `address` ends, None when it has none. Reads a file: call it off the event loop.

    Raises:
        SettingError: the file is no certificate.
    """
    if address.cert_file is None:
        return None
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(address.cert_file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise SettingError(f"{address.cert_file}: no certificate in PEM ({error}); provision anew") from error


def ending(ends_utc: datetime | None, now_utc: datetime) -> str:
    """What is to be said of a certificate that ends soon or has ended, empty otherwise."""
    if ends_utc is None or (ends_utc - now_utc).days >= WARNED_DAYS:
        return ""
    if ends_utc <= now_utc:
        return f"the certificate ended on {ends_utc:%Y-%m-%d}: the broker lets nobody in with it; provision anew"
    return f"the certificate ends on {ends_utc:%Y-%m-%d}, in {(ends_utc - now_utc).days} days: provision anew"
