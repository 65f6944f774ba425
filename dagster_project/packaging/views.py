"""Views: the page of a package, made from its content alone.

Belongs here: package content as HTML, Markdown and plain text. Nothing but the content may enter.
"""

from typing import Any

import jinja2

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Service state</title></head><body>
<h1>Service state</h1><pre>{{ text }}</pre></body></html>
"""


def text_view(content: dict[str, Any]) -> str:
    """Return the package as plain text."""
    names = content["names"]
    lines = [f"{content.get('incident_status', '-')}, {content.get('severity_code', '-')}", ""]
    for capability, state in sorted(content["affected_capabilities"].items()):
        lines.append(f"{names.get(capability, capability)}: {state.get('capability_status', '-')}")
        lines += [f"  {names.get(one, one)}: {status}" for one, status in sorted(state.get("regions", {}).items())]
    lines += [f"{names.get(one, one)}: not affected" for one in sorted(content["not_affected"])]
    lines += [f"{slot}: {one['slot_state']}, {one['review_role']}" for slot, one in sorted(content["held"].items())]
    return "\n".join(lines) + "\n"


def views_of(content: dict[str, Any]) -> dict[str, bytes]:
    """Return every view of a package by file name; equal content gives equal bytes."""
    text = text_view(content)
    page = jinja2.Template(_PAGE, autoescape=True).render(text=text)
    return {"package.html": page.encode(), "package.md": text.encode(), "package.txt": text.encode()}
