"""How services, libraries and terminals write a secret; shares no code with what hides them."""

import base64
import html
import json
from urllib.parse import quote, quote_plus


def forms(secret: str) -> dict[str, str]:
    """Every form by its name."""
    plain = secret.encode()
    encoded = base64.b64encode(b"token=" + plain + b";").decode()  # six bytes before: aligned
    pair = base64.b64encode(b"user:" + plain).decode()  # five bytes before
    return {
        "plain": secret,
        "json": json.dumps(secret)[1:-1],
        "json_slashes": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "percent": quote(secret, safe=""),
        "percent_small": quote(secret, safe="").lower()
        if quote(secret.lower(), safe="") == quote(secret, safe="").lower()
        else "".join(f"%{each:02x}" for each in plain),
        "percent_all": "".join(f"%{each:02X}" for each in plain),
        "form": quote_plus(secret),
        "html": html.escape(secret),
        "hex": plain.hex(),
        "hex_large": plain.hex().upper(),
        "python": repr(secret)[1:-1],
        "escapes": "".join(f"\\u{ord(each):04x}" for each in secret),
        "base64": base64.b64encode(plain).decode().rstrip("="),
        "base64_url": base64.urlsafe_b64encode(plain).decode().rstrip("="),
        "base64_inside": encoded[8 : (6 + len(plain)) * 8 // 6],
        "basic": pair[7 : (5 + len(plain)) * 8 // 6],
    }
