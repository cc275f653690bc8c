"""The page in a real browser: it loads, the viewer draws and plays, nothing is fetched, no script complains.

Run with -m browser. Needs the extra `browser` and a Chromium of the system (`apt-get install chromium`), or another
named in HELIO_BROWSER.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from helio.packages import need
from helio.report.run.page import write_run_report

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    given = os.environ.get("HELIO_BROWSER")
    program = given or next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail("needs a Chromium: install one (apt-get install chromium) or name it in HELIO_BROWSER")
    with need("playwright.sync_api", extra="browser").sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


class Opened:
    """A page in the browser, and what it asked for and complained of."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(viewport={"width": 1100, "height": 900}, **context)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait until what is due has been drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(self, selector: str = "canvas") -> np.ndarray:
        """Red, green, blue of what is seen of an element."""
        self.settle()
        return imread(io.BytesIO(self.page.locator(selector).first.screenshot()))[..., :3]

    def value(self, selector: str) -> str:
        return self.page.locator(selector).first.input_value()


@pytest.fixture(scope="module")
def report(usual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_report([usual_run], tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    shown = Opened(browser, report, color_scheme="light")
    yield shown
    shown.page.close()


def test_loads_without_complaint_and_asks_for_nothing(opened: Opened, report: Path) -> None:
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [report.as_uri()]
    assert opened.page.title() == "water · Helio"
    broken = "() => [...document.images].filter(image => !image.complete || image.naturalWidth === 0).length"
    assert opened.page.evaluate(broken) == 0


def test_viewer_draws_in_the_colours_of_the_elements(opened: Opened) -> None:
    pixels = opened.pixels()
    assert pixels.std() > 0.02
    red = (pixels[..., 0] > 0.6) & (pixels[..., 1] < 0.4) & (pixels[..., 2] < 0.4)
    assert red.sum() > 200  # oxygen


def test_viewer_turns_and_zooms(opened: Opened) -> None:
    before = opened.pixels()
    box = opened.page.locator("canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(*middle)
    opened.page.mouse.down()
    opened.page.mouse.move(middle[0] + 120, middle[1] + 30)
    opened.page.mouse.up()
    turned = opened.pixels()
    assert np.abs(turned - before).mean() > 0.005
    opened.page.mouse.wheel(0, 600)
    far = opened.pixels()
    drawn = [np.mean(np.abs(image - image[20, 20]).max(axis=-1) > 0.1) for image in (turned, far)]
    assert drawn[1] < 0.5 * drawn[0]
    opened.page.click('[data-control="home"]')
    np.testing.assert_allclose(opened.pixels(), before, atol=0.02)


def test_viewer_plays_and_stops(opened: Opened) -> None:
    first = opened.pixels()
    opened.page.select_option('[data-control="speed"]', "4")
    opened.page.click('[data-control="play"]')
    opened.page.wait_for_function("() => Number(document.querySelector('[data-control=frame]').value) > 2")
    opened.page.click('[data-control="play"]')
    stopped = opened.value('[data-control="frame"]')
    assert np.abs(opened.pixels() - first).max() > 0.1
    label = opened.page.locator('[data-control="time"]').inner_text()
    assert float(label.removesuffix(" ps")) == pytest.approx(0.25 * int(stopped))
    opened.page.wait_for_timeout(300)
    assert opened.value('[data-control="frame"]') == stopped
    opened.page.locator("[data-frame='11']").click()
    assert opened.value('[data-control="frame"]') == "11"
    assert opened.complaints == []


@pytest.mark.parametrize("style", ["sticks", "spheres", "dots"])
def test_every_style_draws(opened: Opened, style: str) -> None:
    before = opened.pixels()
    opened.page.select_option('[data-control="style"]', style)
    after = opened.pixels()
    assert after.std() > 0.02 and np.abs(after - before).mean() > 0.003
    assert opened.complaints == []


def test_keys_move_the_view(opened: Opened) -> None:
    before = opened.pixels()
    opened.page.locator("canvas").focus()
    for key in ("ArrowLeft", "ArrowUp", "+", "."):
        opened.page.keyboard.press(key)
    assert np.abs(opened.pixels() - before).mean() > 0.003 and opened.value('[data-control="frame"]') == "1"


def test_light_and_dark(browser: Any, report: Path) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    for scheme, is_dark in (("light", False), ("dark", True)):
        shown = Opened(browser, report, color_scheme=scheme)
        assert (max(shown.page.evaluate(ground)) < 60) is is_dark
        assert bool(shown.pixels()[20, 20].mean() < 0.3) is is_dark
        shown.page.click("#theme")
        shown.settle()
        assert (max(shown.page.evaluate(ground)) < 60) is not is_dark
        assert bool(shown.pixels()[20, 20].mean() < 0.3) is not is_dark
        shown.page.close()


def test_on_paper_and_without_scripts_a_still_stands_for_the_viewer(browser: Any, report: Path) -> None:
    shown = Opened(browser, report)
    shown.page.emulate_media(media="print")
    assert shown.page.locator(".still img").first.is_visible() and not shown.page.locator("canvas").first.is_visible()
    assert not shown.page.locator("nav").is_visible()
    shown.page.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".still img").first.is_visible() and not page.locator("canvas").first.is_visible()
    context.close()


def test_files_are_saved(opened: Opened) -> None:
    with opened.page.expect_download() as download:
        opened.page.locator("a[download='temperature_K.csv']").click()
    assert Path(download.value.path()).read_text().startswith("time_ps,temperature_K\n0.0,")


def test_views_of_a_comparison_draw_when_they_are_unfolded(browser: Any, usual_run: Path, tmp_path: Path) -> None:
    shown = Opened(browser, write_run_report([usual_run, usual_run], tmp_path / "page.html"))
    second = shown.page.locator("details:has(canvas)").nth(1)
    assert not second.locator("canvas").is_visible()
    second.locator("summary").first.click()
    assert shown.pixels("details:has(canvas) >> nth=1 >> canvas").std() > 0.02
    assert shown.complaints == []
    shown.page.close()
