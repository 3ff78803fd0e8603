from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import config, configfile
from tui.actions import ACTIONS
from tui.config import BadConfig, Config

NAMES = st.sampled_from([action.id for action in ACTIONS])
WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
KEYS = st.dictionaries(NAMES | WORDS, st.lists(WORDS, max_size=3).map(tuple), max_size=5)


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    assert config.load(tmp_path / "config.toml") == Config()
    assert config.load(tmp_path / "nothing" / "config.toml") == Config()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"theme = [", "invalid value"),
        (b"theme = 3", "theme must be a text"),
        (b'glyphs = "emoji"', "glyphs must be"),
        (b"keys = 4", "keys must be a table"),
        (b"[keys]\nstop = 4", "keys.stop must be a key"),
        (b'[keys]\nstop = [""]', "keys.stop must be a key"),
        (b'"\\u001b[2J\\u001b]52;c;AAAA" = 1', "unknown setting '"),
        (b'[keys]\n"\\u001b]0;x" = 1', r"keys.\x1b]0;x must be"),
        (b"\xff\xfe", "byte 1 is not UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"#" * (1 << 20), "longer than 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text)
    with pytest.raises(BadConfig) as caught:
        config.load(path)
    line = str(caught.value)
    assert says in line
    assert line.startswith(f"read {path}: ")
    assert line.isprintable()
    assert len(line) < len(str(path)) + 120


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "config.toml"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(BadConfig, match="it is not a file"):
            config.load(path)


def test_only_the_keys_of_a_file_change(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '# mine\ntheme = "heukja"\n\nkeymap = \'lazydocker\' # at first\n\n[keys]\n# stop it\nstop = "Q"\n'
    )
    path.chmod(0o600)
    assert configfile.save_keys(path, "k9s", {"start": ("A", "ctrl+a"), "stop": ()}) == ""
    assert path.read_text() == (
        '# mine\ntheme = "heukja"\n\nkeymap = "k9s" # at first\n\n[keys]\nstart = ["A", "ctrl+a"]\nstop = []\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]


def test_keys_written_in_another_way_are_replaced_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('keys.stop = "Q"\ntheme = "baekja"\n')
    configfile.save_keys(path, "lazydocker", {"start": ("A",)})
    assert config.load(path) == Config(theme="baekja", keys={"start": ("A",)})


def test_the_first_change_makes_the_folder_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "of" / "mine" / "config.toml"
    configfile.save_keys(path, "k9s", {})
    assert path.read_text() == 'keymap = "k9s"\n'


def test_what_a_link_points_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text('theme = "baekja"\n')
    link.symlink_to(real)
    configfile.save_keys(link, "k9s", {})
    assert link.is_symlink()
    assert config.load(real) == Config(theme="baekja", keymap="k9s")


def test_a_file_that_could_not_be_read_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("theme = [")
    assert "config.toml~" in configfile.save_keys(path, "k9s", {})
    assert (tmp_path / "config.toml~").read_text() == "theme = ["
    assert config.load(path) == Config(keymap="k9s")


def test_only_the_theme_of_a_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "# mine\nkeymap='k9s'\n\ntheme   =   'heukja'   # at night\n\n[keys]\n# stop it\nstop = 'Q'\n\n\n"
    )
    configfile.save_theme(path, "baekja")
    assert path.read_text() == (
        "# mine\nkeymap='k9s'\n\ntheme   =   \"baekja\"   # at night\n\n[keys]\n# stop it\nstop = 'Q'\n\n\n"
    )
    before = path.stat().st_ino
    configfile.save_theme(path, "baekja")
    assert path.stat().st_ino == before  # nothing to write


def test_a_remark_at_the_top_of_the_file_stays_there(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# my own\n\nkeymap = 'k9s' # as at work\n")
    configfile.save_theme(path, "baekja")
    assert path.read_text() == "# my own\n\ntheme = \"baekja\"\nkeymap = 'k9s' # as at work\n"


def test_the_first_theme_is_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\n[keys]\nstop = 'Q' # so\n")
    configfile.save_theme(path, "cheongja")
    assert path.read_text() == "theme = \"cheongja\"\n# mine\n[keys]\nstop = 'Q' # so\n"


def test_a_theme_never_replaces_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("theme = [")
    with pytest.raises(BadConfig):
        configfile.save_theme(path, "baekja")
    assert path.read_text() == "theme = ["


def test_a_file_without_write_permission_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("theme = 'heukja'\n")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="it is read-only"):
        configfile.save_theme(path, "baekja")
    with pytest.raises(PermissionError, match="it is read-only"):
        configfile.save_keys(path, "k9s", {})
    assert path.read_text() == "theme = 'heukja'\n"


def test_a_folder_that_cannot_be_made_is_an_error_and_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "onggi").write_text("a file")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        configfile.save_keys(tmp_path / "onggi" / "config.toml", "k9s", {})
    assert [one.name for one in tmp_path.iterdir()] == ["onggi"]


@given(
    KEYS,
    KEYS,
    st.sampled_from(["lazydocker", "k9s"]),
    st.sampled_from(["", "baekja", 'm"y']),
    st.text("\n# \t'\"[]=keysmap", max_size=60),
)
def test_what_is_written_is_what_is_read(
    before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]], keymap: str, theme: str, more: str
) -> None:
    first = configfile.whole(Config(theme="baekja", registries=("a", "b\x7f"), keys=before))
    for text in (first, first + more, more + first):
        try:
            known = config.parse(config.document_of(text, ""), "")
        except BadConfig:
            continue
        wanted = Config(theme or known.theme, keymap, known.glyphs, after, known.registries)
        assert config.parse(config.document_of(configfile.rewritten(text, wanted), ""), "") == wanted
