"""`python -I -m core.cli`: the same as `onggi`."""

from core.cli.main import program

program()
