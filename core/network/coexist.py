"""Other firewalls on the same host. A packet must pass all of them, so what one drops no table of ours can save.

Docker sets the policy of iptables' FORWARD chain to DROP, ufw and firewalld users do so by hand. Where Docker's
chain for such exceptions exists, DOCKER-USER, we put ours there; else the user is told what to type.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from core.network import nftables
from core.network.netlink import Refused
from core.network.nftwords import Interface, Verdict, Word

_TABLE, _CHAIN, _EXCEPTIONS = "filter", "FORWARD", "DOCKER-USER"
_LEGACY_TABLES = Path("/proc/net/ip_tables_names")
_SECONDS = 5.0


def make_way(bridge: str) -> list[str]:
    """Let the bridge's traffic through the host's other firewalls; what stands in the way. Blocking."""
    blocked = []
    if not _through_nft(bridge):
        blocked.append("iptables")
    if not _through_legacy(bridge):
        blocked.append("iptables-legacy")
    return [
        f"the host's firewall drops forwarded packets ({program} policy of chain {_CHAIN} is DROP): containers on "
        f"{bridge} reach nothing outside and their published ports are closed to other hosts; allow them with: "
        f"{program} -I {_CHAIN} -i {bridge} -j ACCEPT; {program} -I {_CHAIN} -o {bridge} -j ACCEPT"
        for program in blocked
    ]


def exceptions(bridge: str) -> tuple[tuple[Word, ...], ...]:
    """The rules for DOCKER-USER, in order: all into our bridge (our own table guards it), and from it all but into
    Docker's networks, which stay as closed to us as Docker keeps them."""
    out = Interface("iif", bridge)
    return (
        (Interface("oif", bridge), Verdict("accept")),
        (out, Interface("oif", "docker*"), Verdict("return")),
        (out, Interface("oif", "br-*"), Verdict("return")),
        (out, Verdict("accept")),
    )


def _through_nft(bridge: str) -> bool:
    """iptables as nftables keeps it: false where it drops, and nobody has made a rule for us nor could we."""
    comment = f"onggi:{bridge}"
    try:
        with nftables.connect() as kernel:
            chains = nftables.chains(kernel, _TABLE)
            if not chains.get(_CHAIN):
                return True
            if _EXCEPTIONS not in chains:
                rules = nftables.rules(kernel, _TABLE, _CHAIN)
                return any(bridge.encode() + b"\0" in rule for rule in rules)
            if not any(comment.encode() + b"\0" in rule for rule in nftables.rules(kernel, _TABLE, _EXCEPTIONS)):
                batch = [
                    nftables.new_rule(_TABLE, _EXCEPTIONS, rule, first=True, comment=comment)
                    for rule in reversed(exceptions(bridge))
                ]
                nftables.transact(kernel, batch)
    except Refused:
        return False
    except OSError:
        return True  # no nf_tables in this kernel, so nothing in it that drops
    return True


def _through_legacy(bridge: str) -> bool:
    """The older iptables, which only its own program can read and write."""
    try:
        if _TABLE not in _LEGACY_TABLES.read_text().split():
            return True
    except OSError:
        return True
    program = shutil.which("iptables-legacy")
    if program is None:
        return True
    try:
        rules = _run(program, "-S").splitlines()
        if f"-P {_CHAIN} DROP" not in rules:
            return True
        if any(rule.startswith(f"-A {_CHAIN}") and bridge in rule.split() for rule in rules):
            return True
        if f"-N {_EXCEPTIONS}" not in rules:
            return False
        if any(rule.startswith(f"-A {_EXCEPTIONS}") and bridge in rule.split() for rule in rules):
            return True
        for rule in reversed(_legacy_exceptions(bridge)):
            _run(program, "-I", _EXCEPTIONS, *rule)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _legacy_exceptions(bridge: str) -> list[list[str]]:
    """`exceptions` as iptables' arguments."""
    return [
        ["-o", bridge, "-j", "ACCEPT"],
        ["-i", bridge, "-o", "docker+", "-j", "RETURN"],
        ["-i", bridge, "-o", "br-+", "-j", "RETURN"],
        ["-i", bridge, "-j", "ACCEPT"],
    ]


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [program, "-w", "2", *arguments], capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    return done.stdout
