"""A root file system to make an image of a registry from."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import registry

PROGRAM = "docker-registry"
CONFIG = """\
version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: :5000
"""


def available() -> bool:
    """Whether this machine has a registry, and we may do with it what we need."""
    return os.geteuid() == 0 and registry.available()


@contextmanager
def registry_root() -> Iterator[Path]:
    """The registry, the libraries it needs, and a configuration, as a tar."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-registry-root-"))
    try:
        root = folder / "root"
        program = Path(shutil.which(PROGRAM) or PROGRAM)
        for source in (program, *_libraries(program)):
            target = root / source.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/registry.yml").write_text(CONFIG)
        (root / "tmp").mkdir(mode=0o1777)
        subprocess.run(["tar", "-C", str(root), "-cf", str(folder / "root.tar"), "."], check=True)
        yield folder / "root.tar"
    finally:
        shutil.rmtree(folder)


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    words = done.stdout.split() if done.returncode == 0 else []
    return [Path(word) for word in words if word.startswith("/")]
