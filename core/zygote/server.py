"""`main`: where the engine begins. Confined first, then everything else is imported.

`python -I -S -c "…; from core.zygote.server import main; main()" --root R --run N` (options.py); it needs
the standard library only. Exit codes: 0 stopped, 1 could not start (one line on stderr says why).
"""

from __future__ import annotations

import os
import sys

from core.errors import EngineError, SyscallFailed
from core.zygote.confine import reexecute
from core.zygote.options import Options


def main() -> None:
    """Start the engine from `sys.argv`; returns never."""
    try:
        options = Options.parse(sys.argv[1:])
        if not options.confined:
            if os.geteuid() != 0:
                raise EngineError("start engine: it needs root, try sudo")
            if options.background:
                _detach()
            _confine(options)
        from core.zygote.keeper import serve  # the heavy half, read by the confined process only

        code = serve(options)
    except EngineError as error:
        print(f"onggi: {error}", file=sys.stderr, flush=True)
        code = 1
    except OSError as error:
        print(f"onggi: {SyscallFailed.of('start engine', error)}", file=sys.stderr, flush=True)
        code = 1
    sys.exit(code)


def _detach() -> None:
    """Go on in a session of its own, as nobody's child; tell the pid on stdout, which ends with that."""
    pid = os.fork()
    if pid:
        os.write(1, f"{pid}\n".encode())
        os._exit(0)
    os.setsid()
    os.dup2(2, 1)


def _confine(options: Options) -> None:
    try:
        reexecute(options)
    except OSError as error:
        raise SyscallFailed.of("start engine: make its mount namespace", error) from error
