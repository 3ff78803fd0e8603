"""The Isolation tab: a verdict in three lines, then the evidence.

What is shared with the host is yellow, not red: it may be what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, ends, fit, join
from tui.panes.inspect import fold, heading
from tui.safe import crop_middle, safe, safe_plain
from tui.state import Json
from tui.text import count, size, size_prose

_ORDER: Final = ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time")
_TERMS: Final = {
    "mnt": ("its own files", "the host's files"),
    "pid": ("sees its own processes and no others", "sees every process of the host"),
    "net": ("its own network", "the host's network"),
    "uts": ("a host name of its own", "the host's name"),
    "ipc": ("its own shared memory", "shared memory of the host"),
    "cgroup": ("its limits look like the whole machine", "sees the host's limits"),
    "user": ("root inside is nobody outside", "ids are the host's: uid 0 = uid 0"),
    "time": ("a clock of its own", "same clock as the host"),
}
_USUAL_HOST: Final = ("user", "time")
_DANGEROUS: Final = (
    "sys_admin",
    "sys_module",
    "sys_ptrace",
    "net_admin",
    "sys_time",
    "sys_rawio",
    "bpf",
    "sys_boot",
)
_KNOWING: Final = re.compile("Worth knowing:")
_BAR: Final = 20
_WALLED: Final = (
    "It sees its own files, processes and network; it cannot load kernel modules, change the clock or see the "
    "host's disks."
)


def lines(facts: Json, glyphs: Glyphs, width: int) -> list[Content]:
    """The whole tab from `GET /onggi/v1/containers/ID/isolation`."""
    return [
        *_verdict(facts, glyphs, width),
        EMPTY,
        *_namespaces(facts, glyphs, width),
        EMPTY,
        *_limits(facts.get("cgroup") or {}, glyphs, width),
        EMPTY,
        *_powers(facts, glyphs, width),
        *_packet(facts.get("network") or {}, width),
        *_root(facts.get("layers") or (), glyphs, width),
        *_mounts(facts, width),
    ]


def shared(facts: Json) -> tuple[str, ...]:
    """The namespaces shared with the host, but for those that every container shares by default."""
    found = {str(n.get("type")) for n in facts.get("namespaces") or () if n.get("shared")}
    usual = _USUAL_HOST + (("cgroup",) if (facts.get("cgroup") or {}).get("version") == 1 else ())
    return tuple(name for name in _ORDER if name in found and name not in usual)


def _verdict(facts: Json, glyphs: Glyphs, width: int) -> list[Content]:
    powers = _effective(facts)
    open_doors = shared(facts)
    strong = [power for power in _DANGEROUS if power in powers]
    seccomp = _filtered(facts)
    if not open_doors and not strong and seccomp:
        head, style = "Well walled in.", "$running"
        says = _WALLED
    else:
        head, style = "Partly open.", "$paused"
        says = _openings(open_doors, strong, seccomp)
    knows = "" if _mapped(facts) else " Worth knowing: root inside is root outside (no user map)."
    text = fold(f"{head} {says}{knows}", max(width - 3, 10))
    first = join((glyphs.running, style), " ", (head, "bold"), (text[0][len(head) :], "$muted"))
    rest = [join("  ", (line, "$muted")) for line in text[1:]]
    return [first, *(line.highlight_regex(_KNOWING, style="$paused") for line in rest)]


def _openings(doors: Sequence[str], strong: Sequence[str], seccomp: bool) -> str:
    said = []
    if doors:
        said.append(f"it shares {', '.join(doors)} with the host")
    if strong:
        said.append(f"it holds {', '.join(strong)}")
    if not seccomp:
        said.append("no system call is refused")
    text = "; ".join(said)
    return text[:1].upper() + text[1:] + "."


def _mapped(facts: Json) -> bool:
    for entry in facts.get("namespaces") or ():
        if entry.get("type") == "user":
            return not entry.get("shared")
    return False


def _namespaces(facts: Json, glyphs: Glyphs, width: int) -> list[Content]:
    pid = facts.get("pid") or 0
    found: Mapping[str, Any] = {str(n.get("type")): n for n in facts.get("namespaces") or ()}
    title = heading("What it sees", f"namespaces of pid {pid}" if pid else "namespaces")
    made = [ends(title, join(("inode  ", "$muted")), width)]
    for name in _ORDER:
        entry = found.get(name)
        if entry is None:
            continue
        own = not entry.get("shared")
        mark = join((f"{glyphs.exited} own ", "$running")) if own else join((f"{glyphs.created} host", "$paused"))
        left = join("  ", name.ljust(7), mark, "  ", _TERMS[name][0 if own else 1])
        made.append(ends(left, join((f"{entry.get('inode', '')}  ", "$muted")), width))
    return made


def _limits(cgroup: Json, glyphs: Glyphs, width: int) -> list[Content]:
    limits, usage = cgroup.get("limits") or {}, cgroup.get("usage") or {}
    version = cgroup.get("version")
    made = [heading("How much it may take", f"cgroup v{version}" if version else "cgroup")]
    memory, ceiling = int(usage.get("memory") or 0), int(limits.get("memory") or 0)
    made.append(_gauge("memory", memory, ceiling, size_prose, "$running", glyphs))
    pids, most = int(usage.get("pids") or 0), int(limits.get("pids") or 0)
    made.append(_gauge("pids", pids, most, str, "$restarting", glyphs))
    cpus = float(limits.get("nano_cpus") or 0) / 1e9
    says = f"{cpus:g} cores at most" if cpus > 0 else "no limit"
    made.append(
        join("  ", "cpu".ljust(8), (glyphs.rest * _BAR, "$line"), "  ", (says, "" if cpus > 0 else "$muted"))
    )
    if cgroup.get("path"):
        made.append(
            join(
                "  ",
                "path".ljust(8),
                safe(crop_middle(safe_plain(str(cgroup["path"])), max(width - 12, 8)), style="$accent2"),
            )
        )
    return made


def _gauge(name: str, used: int, limit: int, shown: Any, style: str, glyphs: Glyphs) -> Content:
    """`━━━───┃···  134 of 256 MiB`: used, free up to the limit, the limit."""
    if limit <= 0 or limit >= 1 << 60:
        return join("  ", name.ljust(8), (glyphs.rest * _BAR, "$line"), "  ", shown(used), (", no limit", "$muted"))
    room = _BAR - 3
    filled = min(round(used / limit * room), room)
    bar = join((glyphs.heavy * filled, style), (glyphs.rule * (room - filled), "$muted"), (glyphs.limit, "$accent"))
    return join("  ", name.ljust(8), bar, (glyphs.rest * 2, "$line"), "  ", f"{shown(used)} of {shown(limit)}")


def _effective(facts: Json) -> tuple[str, ...]:
    return tuple(_cap(c) for c in (facts.get("capabilities") or {}).get("effective") or ())


def _cap(name: object) -> str:
    return safe_plain(str(name)).lower().removeprefix("cap_")


def _powers(facts: Json, glyphs: Glyphs, width: int) -> list[Content]:
    kept = _effective(facts)
    dropped = tuple(_cap(c) for c in (facts.get("capabilities") or {}).get("dropped") or ())
    total = len(kept) + len(dropped)
    made = [heading("What it may do", f"{len(kept)} of {total} capabilities kept")]
    for sign, style, names, colour in (("+", "$running", kept, ""), ("-", "$failed", dropped, "$muted")):
        for n, line in enumerate(fold(" ".join(names) or "none", max(width - 6, 10))):
            made.append(join("  ", (sign if n == 0 else " ", style), " ", (line, colour)))
    if _filtered(facts):
        filters = int(facts["seccomp"].get("filters") or 0)
        more = f", {count(filters, 'filter')}" if filters else ""
        made.append(
            join(
                "  ", (glyphs.exited, "$running"), " seccomp: dangerous system calls are refused", (more, "$muted")
            )
        )
    else:
        made.append(join("  ", (glyphs.created, "$paused"), " seccomp: no system call is refused"))
    if facts.get("no_new_privs"):
        made.append(join("  ", (glyphs.exited, "$running"), " no new privileges: setuid programs gain nothing"))
    return made


def _filtered(facts: Json) -> bool:
    return (facts.get("seccomp") or {}).get("mode") in ("filter", "strict")


def _packet(network: Json, width: int) -> list[Content]:
    address = str(network.get("ip") or "")
    if not address:
        return [
            EMPTY,
            heading("How a packet gets in"),
            join("  ", ("it has no network of its own to be reached on", "$muted")),
        ]
    made = [EMPTY, heading("How a packet gets in", f"mac {safe_plain(str(network.get('mac') or 'unknown'))}")]
    ports = network.get("ports") or {}
    made += [_way(str(b.get("HostPort", "")), f"{address}:{key}") for key in ports for b in ports[key] or ()]
    if len(made) == 2:
        made.append(
            join("  only from this machine: ", (safe_plain(address), "bold"), ("; no port is published", "$muted"))
        )
    return made


def _way(host_port: str, inside: str) -> Content:
    return join(
        "  host ",
        (f":{safe_plain(host_port)}", "bold"),
        (" → nft dnat → ", "$muted"),
        "eth0 ",
        (safe_plain(inside), "bold"),
    )


def _root(layers: Sequence[Json], glyphs: Glyphs, width: int) -> list[Content]:
    if not layers:
        return []
    total = sum(int(layer.get("size") or 0) for layer in layers)
    title = heading("What its root is made of", "overlay")
    made = [EMPTY, ends(title, join((f"{size(total)} in {count(len(layers), 'layer')}", "$muted")), width)]
    for n, layer in enumerate(layers):
        top = n == 0
        mark = join(("~ ", "$paused")) if top else join((f"{glyphs.exited} ", "$muted"))
        note = "its own layer, lost when it is removed" if top else safe_plain(str(layer.get("path", "")))
        figure = fit(join(size(int(layer.get("size") or 0))), 8, right=True)
        made.append(
            join("  ", mark, figure, "  ", (crop_middle(note, max(width - 16, 8)), "" if top else "$muted"))
        )
    return made


def _mounts(facts: Json, width: int) -> list[Content]:
    mounts: Sequence[Json] = facts.get("mounts") or ()
    masked, readonly = facts.get("masked") or (), facts.get("readonly") or ()
    made = [
        EMPTY,
        ends(
            heading("Mounts", str(len(mounts))),
            join((f"{len(masked)} masked, {len(readonly)} read-only", "$muted")),
            width,
        ),
    ]
    for mount in mounts:
        target, kind = safe_plain(str(mount.get("target", ""))), safe_plain(str(mount.get("type", "")))
        options = mount.get("options") or ()
        mode = "ro" if "ro" in (options.split(",") if isinstance(options, str) else options) else "rw"
        source = crop_middle(safe_plain(str(mount.get("source", ""))), max(width - 46, 8))
        made.append(
            join(
                "  ",
                (crop_middle(target, 24).ljust(25), "$accent2"),
                kind[:9].ljust(10),
                mode.ljust(4),
                (source, "$muted"),
            )
        )
    for words, paths in (("masked", masked), ("read-only", readonly)):
        for n, line in enumerate(fold(" ".join(safe_plain(str(p)) for p in paths), max(width - 14, 8))):
            made.append(join("  ", ((words if n == 0 else "").ljust(10), "$muted"), " ", (line, "$muted")))
    return made
