"""A browser shows the page, runs nothing that a run's names hold, and asks nobody for anything."""

import json

import pytest
from helpers.chromium import needs_chromium, show, watched_server
from helpers.run_folders import HOSTILE, PageText, epochs, write_image, write_run

from lightning_tf import report

pytestmark = [pytest.mark.slow, needs_chromium]


def hostile_run(folder, address):
    """Write a run whose every name and value wants to be run, or to load something."""
    loads = f'"><img src="{address}/name"><script src="{address}/script"></script>'
    names = [*HOSTILE, loads, f"</svg><style>@import url({address}/css)</style>"]
    rows = [
        {"step": i, "epoch": i, **dict.fromkeys(names, i), "train/a_epoch": 1} for i in (1, 2, 3)
    ]
    calls = [
        {"event": "begin", "command": names, "task": loads, "machine": dict.fromkeys(names, loads)}
    ]
    run = write_run(folder, rows, dict(zip(names, reversed(names), strict=True)), calls)
    write_image(run / "images" / 'a"><img src=x onerror=alert(1)>_00000001.png')
    write_image(run / "images" / 'a"><img src=x onerror=alert(1)>_00000002.png')
    line = {"kind": "text", "name": loads, "text": loads, "step": 1}
    (run / "log.jsonl").write_text(json.dumps(line) + "\n")
    return run


def test_hostile_names_are_text_and_nothing_is_asked_for(tmp_path):
    with watched_server() as (address, asked):
        run = hostile_run(tmp_path / "run", address)
        elements, console = show(report(run), tmp_path / "browser")
        assert asked == []
    assert console == []

    page = PageText(elements)
    title = elements.partition("<title>")[2].partition("</title>")[0]
    assert title == "run - lightning_tf"
    for name in HOSTILE:
        assert name in page.text
    assert page.count("script") == 2
    assert page.count("img") == 2
    # Its own script has run: the newest image alone is to be seen.
    assert page.count("html", **{"class": "live"}) == 1
    assert page.count("figure", **{"class": "now"}) == 1


def test_what_is_put_into_the_page_later_is_not_run_and_loads_nothing(tmp_path):
    """The policy holds also where escaping would not."""
    with watched_server() as (address, asked):
        path = report(write_run(tmp_path / "run", epochs(2)))
        foreign = (
            "<script>document.title = 'pwned'</script>"
            f"<img src=x onerror=\"document.title = 'pwned'\"><img src='{address}/image'>"
            f"<script src='{address}/script'></script><link rel=stylesheet href='{address}/css'>"
            f"<iframe src='{address}/frame'></iframe>"
        )
        html = path.read_text().replace("</main>", f"{foreign}</main>")
        path.write_text(html)
        elements, console = show(path, tmp_path / "browser")
        assert asked == []
        assert "<title>run - lightning_tf</title>" in elements
        assert len(console) >= 5

        # Without the policy all of it happens: it is the policy that holds.
        path.write_text(html.replace("Content-Security-Policy", "x-none"))
        elements, _ = show(path, tmp_path / "browser")
        assert "<title>pwned</title>" in elements
        assert {"/image", "/script", "/css", "/frame"} <= set(asked)


def test_pointer_keys_ticks_and_sliders_do_what_they_say(tmp_path):
    runs = [write_run(tmp_path / f"version_{n}", epochs(n + 2)) for n in range(3)]
    for step in (10, 20, 30):
        write_image(runs[0] / "images" / f"samples_{step:08d}.png")
    path = report(runs)
    driver = (
        "const slider = document.querySelector('input[type=range]');"
        "slider.value = 1; slider.dispatchEvent(new Event('input'));"
        "const svg = document.querySelector('svg.chart'), box = svg.getBoundingClientRect();"
        "const tick = document.querySelector('input[data-run=\"1\"]'); tick.click();"
        "const at = {clientX: box.left + box.width * 62 / 480, clientY: box.top + 20};"
        "svg.dispatchEvent(new PointerEvent('pointermove', at));"
        "for (let i = 0; i < 99; i++)"
        "  svg.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));"
    )
    # Driven from inside, which the policy forbids: this copy has none.
    html = path.read_text().replace("Content-Security-Policy", "x-none")
    copy = tmp_path / "driven.html"
    copy.write_text(html.replace("</body>", f"<script>{driver}</script></body>"))
    elements, console = show(copy, tmp_path / "browser")
    assert console == []

    page = PageText(elements)
    assert "epochs done 4:" in page.texts
    assert "version_2 val 0.25 (update 40)" in page.texts
    assert not [text for text in page.texts if text.startswith("version_1 val")]
    hidden = [found for tag, found in page.elements if tag == "g" and "off" in found["class"]]
    assert {found["data-run"] for found in hidden} == {"1"}
    assert page.count("figure", **{"class": "now", "data-step": "update 20"}) == 1
    assert page.count("figure", **{"class": "now"}) == 1


@pytest.mark.parametrize("width", [400, 1400])
def test_no_part_is_wider_than_the_window(tmp_path, width):
    name = "a_metric_with_a_name_that_is_longer_than_a_small_screen_is_wide" * 2
    rows = epochs(2, **{f"val/{name}": 1.0})
    runs = [write_run(tmp_path / f"version_{n}", rows, {name: name, "lr": n}) for n in range(3)]
    path = report(runs)
    probe = "document.title = document.documentElement.scrollWidth - window.innerWidth"
    copy = tmp_path / "probed.html"
    html = path.read_text().replace("Content-Security-Policy", "x-none")
    copy.write_text(html.replace("</body>", f"<script>{probe}</script></body>"))
    elements, _ = show(copy, tmp_path / "browser", f"--window-size={width},900")
    assert "<title>0</title>" in elements
