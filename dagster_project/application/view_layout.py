"""Laying out pages for people inside: the views of checked candidates as files that a browser opens.

Belongs here: where the files go. Only candidates with an internal manifest have pages; nobody outside reads here.
"""

from pathlib import Path

from dagster_project.application.overview import candidate_history, candidate_views
from dagster_project.application.workspace import Workspace


def lay_out_views(workspace: Workspace, incident: str) -> tuple[Path, ...]:
    """Write the views of every distinct checked content of an incident; return the pages, in order."""
    pages = []
    for one in candidate_history(workspace, incident):
        if one.publication_state != "candidate" or not one.content_changed:
            continue
        folder = workspace.settings.views / incident / one.bridge / f"content-{one.content_number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in candidate_views(workspace, incident, one.bridge, one.ordinal).items():
            (folder / name).write_bytes(body)
        pages.append(folder / "package.html")
    return tuple(pages)
