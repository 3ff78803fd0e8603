"""An OCI runtime of its own: a Spec becomes a plan, a plan becomes a process. `python -m core.runtime` is its CLI.

Knows neither engine nor shim. runtime-spec 1.1.
"""
