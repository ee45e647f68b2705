"""The report as one HTML file: template, style sheet, script and data in it, nothing fetched.

The data lie in a script element that no browser runs; the script builds the page from them by text nodes
alone, so that a clip's name is never markup. A content security policy that names the hashes of the style
sheet and the script keeps everything else from running or loading.
"""

from __future__ import annotations

import base64
import hashlib
import html
from importlib import resources

_FOLDER = "page"
_TEMPLATE, _STYLE, _SCRIPT = "report.html", "report.css", "report.js"


def page(data: str, title: str) -> str:
    """The page of `data`, which is JSON text."""
    folder = resources.files(__package__) / _FOLDER
    template, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in (_TEMPLATE, _STYLE, _SCRIPT)
    )
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "TITLE": html.escape(title), "POLICY": html.escape(policy, quote=False), "STYLE": style,
        "SCRIPT": script, "DATA": as_script_text(data),
    }  # fmt: skip
    pieces = template.split("@@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def as_script_text(data: str) -> str:
    """JSON that may stand in a script element: no end tag, no comment, no line separator of JavaScript."""
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
