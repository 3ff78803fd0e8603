"""Every theme is readable, and its states stay apart for those who see colours otherwise."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pytest

from tui import themes
from tui.themes import BadTheme, Palette

FILES = sorted(themes.folder().glob("*.toml"))
GROUNDS = ("bg", "surface", "raised", "cursor", "cursor_idle")
WORDS = (
    "text", "muted", "accent", "accent2", "running", "paused", "restarting", "exited", "failed", "created", "dead",
)  # fmt: skip
STATES = ("running", "paused", "restarting", "exited", "failed", "created", "dead")

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISIONS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
RGB = tuple[float, float, float]


def linear(colour: str) -> RGB:
    def one(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    return one(int(colour[1:3], 16) / 255), one(int(colour[3:5], 16) / 255), one(int(colour[5:7], 16) / 255)


def contrast(one: str, two: str) -> float:
    """WCAG 2.1."""
    light, dark = sorted(
        (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, two)),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, vision: str) -> RGB:
    rgb = linear(colour)
    r, g, b = (min(max(sum(m * c for m, c in zip(row, rgb, strict=True)), 0.0), 1.0) for row in VISIONS[vision])
    return r, g, b


def lab(rgb: RGB) -> RGB:
    r, g, b = rgb
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: RGB, two: RGB) -> float:
    """CIEDE2000 (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean_c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dl, dc = l2 - l1, c2 - c1
    dh = 0.0 if not c1 * c2 else (h2 - h1 + 180) % 360 - 180
    big_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh) / 2)
    ml, mc = (l1 + l2) / 2, (c1 + c2) / 2
    mh = h1 + h2 if not c1 * c2 else (h1 + h2) / 2 if abs(h1 - h2) <= 180 else (h1 + h2 + 360) / 2 % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(mh - 30))
        + 0.24 * math.cos(math.radians(2 * mh))
        + 0.32 * math.cos(math.radians(3 * mh + 6))
        - 0.20 * math.cos(math.radians(4 * mh - 63))
    )
    sl = 1 + 0.015 * (ml - 50) ** 2 / math.sqrt(20 + (ml - 50) ** 2)
    sc, sh = 1 + 0.045 * mc, 1 + 0.015 * mc * t
    rt = (
        -2 * math.sqrt(mc**7 / (mc**7 + 25.0**7)) * math.sin(math.radians(60 * math.exp(-(((mh - 275) / 25) ** 2))))
    )
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (big_h / sh) ** 2 + rt * dc / sc * big_h / sh)


def nearest(colours: dict[str, str]) -> tuple[float, str]:
    """The smallest difference between two of the colours in any vision."""
    return min(
        (difference(lab(seen(colours[a], vision)), lab(seen(colours[b], vision))), f"{a} and {b}, {vision}")
        for a, b in combinations(colours, 2)
        for vision in VISIONS
    )


def test_the_difference_is_the_published_one() -> None:
    assert difference((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert difference((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387)) == pytest.approx(1.2644, abs=1e-4)
    assert difference((50, 2.5, 0), (73, 25, -18)) == pytest.approx(27.1492, abs=1e-4)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def palette(request: pytest.FixtureRequest) -> Palette:
    return themes.load(request.param)


def test_all_four_glazes_are_there() -> None:
    assert {path.stem for path in FILES} >= set(themes.NAMES)


def test_every_word_is_readable_on_every_ground(palette: Palette) -> None:
    worst = min(
        (contrast(palette.slots[word], palette.slots[ground]), word, ground) for word in WORDS for ground in GROUNDS
    )
    assert worst[0] >= 4.5, worst


def test_text_on_accents_and_the_focus_border_show(palette: Palette) -> None:
    slot = palette.slots
    assert (
        min(contrast(slot["on_accent"], slot[ground]) for ground in ("accent", "focus", "failed", "paused")) >= 4.5
    )
    assert contrast(slot["focus"], slot["surface"]) >= 3


def test_states_and_gutters_stay_apart_for_every_eye(palette: Palette) -> None:
    states = nearest({state: palette.slots[state] for state in STATES})
    gutters = nearest({str(n): colour for n, colour in enumerate(palette.gutters, 1)})
    assert states[0] >= 8, states
    assert gutters[0] >= 8, gutters


def test_a_theme_without_a_slot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.toml"
    path.write_text('[slots]\nbg = "#000000"\n')
    with pytest.raises(BadTheme, match=r"half\.toml: no colour for surface"):
        themes.load(path)
    for text in ("slots = 4", "gutters = 4", '[slots]\nbg = ["#000000"]', '[slots]\nbg = "#00\u0660\u06600"'):
        path.write_text(text)
        with pytest.raises(BadTheme, match=r"half\.toml"):
            themes.load(path)
    path.write_text("not toml at all [")
    with pytest.raises(BadTheme, match=r"half\.toml"):
        themes.load(path)


def test_a_user_theme_wins_and_a_name_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    mine = tmp_path / "onggi" / "themes"
    mine.mkdir(parents=True)
    source = themes.folder() / "heukja.toml"
    (mine / "night.toml").write_text(source.read_text())
    assert "night" in themes.available()
    assert themes.find("night").variables["ink"] == themes.find("heukja").variables["ink"]
    for name in ("nowhere", "../onggi", "/etc/passwd"):
        with pytest.raises(BadTheme, match="no such theme"):
            themes.find(name)
