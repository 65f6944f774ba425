"""The package page in a real browser: its words are there, it fits, and it asks nobody for anything."""

import os
import re
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dagster_project.packaging.views import html_view
from tests.support.package_content import example_content

pytestmark = pytest.mark.chromium

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--no-proxy-server",
)  # fmt: skip
Browse = Callable[..., str]


class Site:
    """Serves pages on loopback and remembers every path that was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                body = site.pages.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """A function that opens an address in Chromium with further switches and returns what it printed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None and os.environ.get("CHANNELSAFE_REQUIRE_ALL") == "1":
        pytest.fail("CHANNELSAFE_REQUIRE_ALL=1, but Chromium is not installed", pytrace=False)
    if program is None:
        pytest.skip("Chromium is not installed")

    def opened(address: str, *switches: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [program, *QUIET, profile, *switches, address]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return opened


def picture_size(path: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height


def text_of(dom: str) -> str:
    body = dom[dom.index("<body") :]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_states_its_facts_and_makes_no_request(site: Site, browse: Browse) -> None:
    content = example_content()
    content["names"]["message-delivery"] = f'Mail <img src="{site.address}/value.png">'
    site.pages["/page"] = html_view(content)
    text = text_of(browse(f"{site.address}/page", "--dump-dom"))
    for fact in ("Mitigating", "Major outage", "Recovered", "Being assessed", "On hold: we cannot share this yet."):
        assert fact in text
    assert "Security decides" in text
    assert "Mail &lt;img src=" in text
    assert site.asked == ["/page"]


REACHING_OUT = {
    "/picture.png": '<img src="/picture.png">',
    "/style.css": '<link rel="stylesheet" href="/style.css">',
    "/ground.png": '<style>body { background: url("/ground.png") }</style>',
    "/fetched": '<script>fetch("/fetched")</script>',
    "/frame": '<iframe src="/frame"></iframe>',
}


def test_the_policy_of_the_page_stops_what_would_reach_out(site: Site, browse: Browse) -> None:
    """Without the policy the same markup does reach out: the test can see a request when there is one."""
    page = html_view(example_content()).replace("</footer>", f"</footer>{''.join(REACHING_OUT.values())}")
    site.pages["/page"] = page
    browse(f"{site.address}/page", "--dump-dom")
    assert site.asked == ["/page"]
    site.pages["/page"] = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    browse(f"{site.address}/page", "--dump-dom")
    assert set(site.asked) >= set(REACHING_OUT)


# Runs inside a copy of the page whose policy was taken out: what is measured is the layout, not the policy.
_MEASURE = """<script>
addEventListener('load', () => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const cut = [...document.querySelectorAll('.panel *')].filter(one => {
    const outer = one.closest('.panel').getBoundingClientRect(), inner = one.getBoundingClientRect();
    return inner.width > 1 && !one.closest('.said') && inner.right > outer.right + 1;
  }).length;
  top.document.body.append(`[${innerWidth}: overflow ${wide}, cut off ${cut}]`);
});
</script>"""
# Common widths, and those just above the ones at which the matrix becomes a list.
WIDTHS = (360, 500, 768, 833, 1024, 1121, 1249, 1280, 1920)
SEVEN_REGIONS = ("Africa", "Asia Pacific", "Europe", "India", "Middle East", "North America", "South America")


@pytest.mark.parametrize("regions", [2, 4, 6, 7])
def test_nothing_is_cut_off_at_any_width(site: Site, browse: Browse, regions: int) -> None:
    content = example_content()
    named = {f"region-{index}": name for index, name in enumerate(SEVEN_REGIONS[:regions])}
    content["names"] |= named
    content["held"]["other"]["fields"].append("/affected_capabilities/message-delivery/regions/region-0")
    for one in content["affected_capabilities"].values():
        one["regions"] = dict.fromkeys(named, "under_assessment") | {"region-0": "maintenance"}
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html_view(content))
    site.pages["/page"] = page.replace("</body>", f"{_MEASURE}</body>")
    # A headless window is never narrower than 500 pixels; a frame is as narrow as it is told to be.
    frames = "".join(f'<iframe width="{width}" height="900" frameborder="0" src="/page"></iframe>' for width in WIDTHS)
    site.pages["/frames"] = f"<!doctype html><body>{frames}</body>"
    measured = re.findall(r"\[(\d+): (.*?)\]", browse(f"{site.address}/frames", "--dump-dom"))
    assert {int(width): found for width, found in measured} == dict.fromkeys(WIDTHS, "overflow 0, cut off 0")


def test_the_page_can_be_pictured_in_both_schemes(site: Site, browse: Browse, tmp_path: Path) -> None:
    site.pages["/page"] = html_view(example_content())
    pictures = []
    for name, switches in (("light", ()), ("dark", ("--force-dark-mode",))):
        path = tmp_path / f"{name}.png"
        browse(f"{site.address}/page", f"--screenshot={path}", "--window-size=1280,900", *switches)
        assert picture_size(path) == (1280, 900)
        pictures.append(path.read_bytes())
    assert pictures[0] != pictures[1]
