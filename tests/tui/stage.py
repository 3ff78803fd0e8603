"""A fixed stage for the app: a client that answers from recorded-shape data, a clock that stands still.

The data are those of the pictures in the README. Nothing here starts an engine.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import IO, Any

from textual.pilot import Pilot

from core.client.aclient import HijackedSocket
from core.errors import NotFound
from core.wire.http import ResponseHead
from tui.app import OnggiApp
from tui.config import Config
from tui.header import Host

NOW = 1_795_003_427.0
HOST = Host(
    cpu=23, memory=1_288_490_188, memory_total=24 << 30, disk=38 << 30, disk_total=120 << 30, rx=2.1e6, tx=4e5
)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def stamp(seconds: float) -> str:
    """RFC 3339, as the engine writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(seconds))


def one_id(name: str) -> str:
    """A stable id of 64 digits."""
    return "".join(f"{ord(c) % 16:x}" for c in name * 64)[:64]


def image_id(reference: str) -> str:
    return "sha256:" + one_id(reference)[::-1]


HISTORY = [
    {"CreatedBy": '/bin/sh -c #(nop)  CMD ["gunicorn" "app"]', "Size": 0, "Created": NOW - 9 * DAY},
    {"CreatedBy": "/bin/sh -c python -m compileall /app", "Size": 32 << 20, "Created": NOW - 9 * DAY},
    {"CreatedBy": "COPY src/ /app/ # buildkit", "Size": 2 << 20, "Created": NOW - 9 * DAY},
    {"CreatedBy": "/bin/sh -c pip install -r requirements.txt", "Size": 62 << 20, "Created": NOW - 9 * DAY},
    {"CreatedBy": "/bin/sh -c apt-get install -y python3 libpq5", "Size": 41 << 20, "Created": NOW - 9 * DAY},
    {"CreatedBy": "/bin/sh -c #(nop) ADD file:9c1e in / ", "Size": 75 << 20, "Created": NOW - 40 * DAY},
]

LAYERS = [
    {
        "DiffID": f"sha256:{n:064x}",
        "ChainID": f"sha256:{n:064x}",
        "Size": size,
        "CreatedBy": line,
        "Empty": not size,
    }
    for n, (size, line) in enumerate(
        (
            (int(74.8 * 2**20), "/bin/sh -c #(nop) ADD file:9c1e04d7 in / "),
            (int(41.2 * 2**20), "/bin/sh -c apt-get install -y python3 libpq5"),
            (62 << 20, "/bin/sh -c pip install -r requirements.txt"),
            (int(1.9 * 2**20), "COPY src/ /app/ # buildkit"),
            (int(32.1 * 2**20), "/bin/sh -c python -m compileall /app"),
            (0, "/bin/sh -c #(nop)  USER app"),
            (0, "/bin/sh -c #(nop)  EXPOSE 9000"),
            (0, '/bin/sh -c #(nop)  CMD ["gunicorn"]'),
        )
    )
]


def _file(path: str, kilobytes: float, change: str = "added", kind: str = "file", link: str = "") -> dict[str, Any]:
    mode = 0o755 if kind == "dir" else 0o644
    size = int(kilobytes * 1024)
    return {
        "Path": path,
        "Kind": kind,
        "Mode": mode,
        "Uid": 0,
        "Gid": 0,
        "Size": size,
        "Change": change,
        "Link": link,
    }


_SITE = "usr/local/lib/python3.12/site-packages"
FILES = [
    _file("usr", 0, "changed", "dir"),
    _file("etc", 0, "changed", "dir"),
    _file(f"{_SITE}/numpy", 0, kind="dir"),
    _file(f"{_SITE}/numpy/numpy.libs/libscipy_openblas64.so", 24.1 * 1024),
    _file(f"{_SITE}/numpy/_core/multiarray.so", 6.9 * 1024),
    _file(f"{_SITE}/numpy/__init__.py", 21),
    _file(f"{_SITE}/psycopg2/_psycopg.so", 3.4 * 1024),
    _file(f"{_SITE}/gunicorn/app.py", 900),
    _file(f"{_SITE}/pip/main.py", 12 * 1024, "changed"),
    _file(f"{_SITE}/setuptools", 5.1 * 1024, "removed"),
    _file("etc/passwd", 1, "changed"),
    _file("etc/ld.so.cache", 44, "changed"),
    _file("root/.cache/pip/http-v2/0", 13 * 1024),
    _file("root/.cache/pip/http-v2/1", 100),
    _file("usr/bin/python", 0, kind="link", link="python3.12"),
    _file("var/log/옹기.log", 6, "removed"),
]
CHANGES = [
    {"Path": "/etc", "Kind": 0},
    {"Path": "/etc/nginx", "Kind": 0},
    {"Path": "/etc/nginx/conf.d/default.conf", "Kind": 0},
    {"Path": "/var/cache/nginx/client_temp", "Kind": 1},
    {"Path": "/var/cache/nginx/proxy_temp", "Kind": 1},
    {"Path": "/var/cache/nginx", "Kind": 0},
    {"Path": "/run/nginx.pid", "Kind": 1},
    {"Path": "/usr/share/nginx/html/50x.html", "Kind": 2},
]
WASTE = {
    "Wasted": int(19.5 * 2**20),
    "Efficiency": 0.91,
    "Files": [
        {"Path": "/root/.cache/pip/http-v2/0", "Bytes": int(13.1 * 2**20), "Times": 2},
        {"Path": f"/{_SITE}/setuptools", "Bytes": int(5.1 * 2**20), "Times": 2},
        {"Path": "/var/lib/apt/lists/deb_main", "Bytes": int(1.3 * 2**20), "Times": 2},
    ],
}

REGISTRY: dict[str, Any] = {
    "catalog": ["library/nginx", "shop/api", "shop/worker", "옹기/jar"],
    "tags": ["1.26", "1.27", "2.3", "2.4", "latest"],
    "manifest": {
        "Descriptor": {
            "digest": "sha256:" + "9c1e04d7" * 8,
            "mediaType": "application/vnd.oci.image.index.v1+json",
        },
        "Size": 62 << 20,
        "Platforms": ["linux/amd64", "linux/arm64"],
    },
}
PULL = [
    {"id": "a2318d6c47ec", "status": "Already exists"},
    {"id": "07c41b9e5f02", "status": "Pull complete", "progressDetail": {"current": 4718592, "total": 4718592}},
    {"id": "c49f7dd01a88", "status": "Downloading", "progressDetail": {"current": 81 << 20, "total": 114 << 20}},
    {"id": "5e1d0a7712cc", "status": "Downloading", "progressDetail": {"current": 943718, "total": 4613734}},
    {"id": "1b64ae93d0f1", "status": "Waiting"},
]

_OWN = ("mnt", "pid", "net", "uts", "ipc", "cgroup")
_KEPT = "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod"
_DROPPED = "sys_admin sys_module sys_ptrace net_admin sys_time sys_rawio sys_boot syslog bpf perfmon"
ISOLATION = {
    "pid": 41277,
    "namespaces": [
        {"type": kind, "inode": 4026533101 + n, "host_inode": 4026531830 + n, "shared": kind not in _OWN}
        for n, kind in enumerate((*_OWN, "user", "time"))
    ],
    "capabilities": {
        "effective": [f"CAP_{name.upper()}" for name in f"{_KEPT} audit_write setfcap".split()],
        "dropped": [f"CAP_{name.upper()}" for name in _DROPPED.split()],
    },
    "seccomp": {"mode": "filter", "filters": 1},
    "no_new_privs": False,
    "mounts": [
        {"source": "overlay", "target": "/", "type": "overlay", "options": "rw,relatime"},
        {"source": "proc", "target": "/proc", "type": "proc", "options": "rw,nosuid"},
        {"source": "/dev/sda1", "target": "/etc/hosts", "type": "ext4", "options": "rw,relatime"},
        {"source": "tmpfs", "target": "/dev", "type": "tmpfs", "options": "rw,nosuid"},
        {"source": "sysfs", "target": "/sys", "type": "sysfs", "options": "ro,nosuid"},
    ],
    "masked": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
    "readonly": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    "cgroup": {
        "path": "/onggi/web",
        "version": 2,
        "limits": {"memory": 256 << 20, "nano_cpus": 750_000_000, "pids": 512},
        "usage": {"memory": 134 << 20, "pids": 5, "cpu_ns": 1},
    },
    "layers": [
        {"path": "/var/lib/onggi/snapshots/9/fs", "size": 41 << 10},
        {"path": "/var/lib/onggi/snapshots/3/fs", "size": 49 << 20},
        {"path": "/var/lib/onggi/snapshots/2/fs", "size": 4 << 10},
        {"path": "/var/lib/onggi/snapshots/1/fs", "size": 15 << 20},
    ],
    "network": {
        "ip": "172.18.0.3",
        "mac": "02:42:ac:12:00:03",
        "gateway": "172.18.0.1",
        "ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
    },
}


def nginx_log(base: float) -> list[tuple[int, str]]:
    """A web server's output, errors among it: (1 out or 2 err, line with its time)."""
    said = [
        (2, "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration"),
        (2, "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf"),
        (2, "1#1: nginx/1.27.3, built by gcc 12.2.0 (Debian 12.2.0-14)"),
        *((1, f"172.18.0.1 GET {path} 200 {n * 211} B {n} ms curl/8.9.1") for n, path in enumerate(
            ("/", "/shop", "/static/site.css", "/static/jar.svg", "/api/orders?page=2", "/shop/옹기-항아리"), 1)),
        (2, '22#22: *3 open() "/usr/share/nginx/html/favicon.ico" failed (2: No such file or directory)'),
        (1, "172.18.0.1 GET /favicon.ico 404 153 B 0 ms Firefox/133.0"),
        (1, '\x1b[32m200\x1b[0m 172.18.0.6 GET /healthz \x1b[1mok\x1b[0m'),
    ]  # fmt: skip
    return [(stream, f"{stamp(base + n * 7)} {line}") for n, (stream, line) in enumerate(said)]


class Stage:
    """The engine's objects, which a test may change and announce by `happen`."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.usage: dict[str, tuple[float, int]] = {}
        self.images: list[tuple[str, int]] = []
        self.volumes: list[tuple[str, int]] = []
        self.networks: list[tuple[str, str, str]] = []
        self.logs: dict[str, list[tuple[int, str]]] = {}
        self.calls: list[tuple[str, str, object]] = []
        self.extra: dict[str, object] = {}
        self.removals: list[dict[str, Any]] = []
        self.undo_seconds = 3600.0
        self.screen = b""
        self.ends: list[socket.socket] = []
        self.asked = asyncio.Queue[dict[str, Any]]()
        self.client: Callable[[Stage], StageClient] = StageClient

    def undone(self) -> dict[str, Any]:
        """What the engine answers to an undo of the last removal."""
        last = self.removals[0] if self.removals else {}
        return {"Names": [last.get("What")], **last.get("Back", {})}

    def add(
        self,
        name: str,
        image: str,
        *,
        status: str = "running",
        ports: dict[str, str] | None = None,
        ago: float = 0.0,
        code: int = 0,
        health: str = "",
        cpu: float = 0.0,
        memory: int = 0,
        **more: Any,
    ) -> str:
        """A container that came to its state `ago` seconds before NOW."""
        found = one_id(name)
        bound = {
            key: [{"HostIp": "0.0.0.0", "HostPort": host}] if host else None for key, host in (ports or {}).items()
        }
        state: dict[str, Any] = {"Status": status, "ExitCode": code, "Pid": 41277 if status == "running" else 0}
        state["StartedAt"] = (
            stamp(NOW - ago - (0 if status == "running" else MINUTE))
            if status != "created"
            else "0001-01-01T00:00:00Z"
        )
        state["FinishedAt"] = (
            stamp(NOW - ago) if status in ("exited", "dead", "restarting") else "0001-01-01T00:00:00Z"
        )
        if health:
            state["Health"] = {"Status": health}
        self.containers[found] = {
            "Id": found,
            "Name": f"/{name}",
            "Created": stamp(NOW - ago - HOUR),
            "Path": more.get("path", "/docker-entrypoint.sh"),
            "Args": more.get("args", ["nginx", "-g", "daemon off;"]),
            "Image": image_id(image),
            "State": state,
            "RestartCount": more.get("restarts", 0),
            "Onggi": more.get("moments", {}),
            "Config": {
                "Image": image,
                "Tty": more.get("tty", False),
                "OpenStdin": more.get("tty", False),
                "Env": more.get(
                    "env", ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "NGINX_VERSION=1.27.3"]
                ),
                "Labels": more.get("labels", {}),
            },
            "HostConfig": {
                "RestartPolicy": {"Name": more.get("policy", "unless-stopped")},
                "NanoCpus": 0,
                "Memory": 0,
            },
            "Mounts": [
                {"Type": "volume", "Name": v, "Destination": "/data", "RW": True} for v in more.get("volumes", ())
            ],
            "NetworkSettings": {
                "Ports": bound,
                "Networks": {"bridge": {"IPAddress": more.get("ip", "172.18.0.3" if status == "running" else "")}},
            },
        }
        self.usage[found] = (cpu, memory)
        return found

    def happen(self, kind: str, action: str, actor: str, **attributes: str) -> None:
        """Announce an event."""
        event = {"Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": attributes}}
        self.asked.put_nowait(event)

    def prune_plan(self, all_of: bool) -> dict[str, Any]:
        """As the engine plans it: images that no container needs."""
        gone = [(ref, size) for ref, size in self.images if not self.users(ref)]
        gone = [(ref, size) for ref, size in gone if all_of or ref.startswith("<none>")]
        images = [
            {"Id": image_id(ref), "Names": [] if ref.startswith("<none>") else [ref], "Size": size}
            for ref, size in gone
        ]
        return {"Images": images, "SpaceReclaimed": sum(size for _, size in gone)}

    def users(self, image: str) -> int:
        return sum(c["Image"] == image_id(image) for c in self.containers.values())


class StageClient:
    """What `core.client.aclient.AsyncClient` offers, answered from a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.host = "tcp://stage:2375"
        self._samples = 0

    async def get(self, path: str, **query: Any) -> Any:
        stage = self.stage
        if path in stage.extra:
            return stage.extra[path]
        parts = path.strip("/").split("/")
        if path == "/containers/json":
            return [self._listed(c) for c in stage.containers.values()]
        if path == "/images/json":
            return [
                {
                    "Id": image_id(ref),
                    "RepoTags": [] if ref.startswith("<none>") else [ref],
                    "Size": size,
                    "Created": int(NOW - (3 + 8 * number) * DAY),
                }
                for number, (ref, size) in enumerate(stage.images)
            ]
        if path == "/volumes":
            return {
                "Volumes": [
                    {"Name": n, "Mountpoint": f"/v/{n}", "UsageData": {"Size": s}} for n, s in stage.volumes
                ]
            }
        if path == "/networks":
            return [
                {"Id": one_id(n), "Name": n, "Driver": d, "IPAM": {"Config": [{"Subnet": s}]}}
                for n, d, s in stage.networks
            ]
        if parts[0] == "containers" and parts[1] in stage.containers:
            if parts[2] == "json":
                return stage.containers[parts[1]]
            if parts[2] == "stats":
                return self._sample(parts[1])
        if parts[0] == "images" and len(parts) > 2:
            return self._image("/".join(parts[1:-1]), parts[-1])
        if path == "/onggi/v1/undo":
            return stage.removals
        if path == "/onggi/v1/prune":
            return stage.prune_plan("false" in str(query["filters"]))
        if path.endswith("/changes"):
            return CHANGES
        if path == "/onggi/v1/host":
            return {"cpus": 16, "undo_seconds": stage.undo_seconds}
        if path.startswith("/onggi/v1/images/") and path.split("/")[-1] in ("layers", "files", "waste"):
            waste = WASTE if "shop" in path else {"Wasted": 0, "Efficiency": 1.0, "Files": []}
            return {"layers": LAYERS, "files": FILES, "waste": waste}[path.split("/")[-1]]
        raise NotFound(f"no such thing: {path}")

    def _image(self, reference: str, what: str) -> Any:
        by_id = {image_id(name): name for name, _ in self.stage.images}
        reference = by_id.get(reference, reference)
        size = dict(self.stage.images).get(reference)
        if size is None:
            raise NotFound(f"No such image: {reference}")
        if what == "history":
            return HISTORY
        return {
            "Id": image_id(reference),
            "RepoTags": [reference],
            "Created": stamp(NOW - 9 * DAY),
            "Size": size,
            "Os": "linux",
            "Architecture": "amd64",
            "Config": {
                "Cmd": ["sh"] if reference.startswith("busybox") else ["nginx", "-g", "daemon off;"],
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"],
                "ExposedPorts": {"80/tcp": {}},
                "WorkingDir": "/srv",
            },
            "RootFS": {
                "Type": "layers",
                "Layers": [
                    one_id(f"layer{n}" if n < (6 - len(reference) % 6) else f"{reference}{n}") for n in range(5)
                ],
            },
        }

    def _listed(self, entry: dict[str, Any]) -> dict[str, Any]:
        return {
            "Id": entry["Id"],
            "Names": [entry["Name"]],
            "Image": entry["Config"]["Image"],
            "ImageID": entry["Image"],
            "State": entry["State"]["Status"],
            "Created": NOW,
            "Labels": entry["Config"]["Labels"],
            "Mounts": entry["Mounts"],
            "NetworkSettings": entry["NetworkSettings"],
        }

    def _sample(self, found: str) -> dict[str, Any]:
        """Two samples are a second apart on the stage's own clock, so that the cpu comes out exactly."""
        cpu, memory = self.stage.usage[found]
        self._samples += 1
        at = self._samples
        return {
            "read": stamp(NOW + at),
            "cpu_stats": {"cpu_usage": {"total_usage": round((1000 + at) * cpu * 1e7)}},
            "memory_stats": {"usage": memory, "limit": 0},
            "pids_stats": {"current": 5},
        }

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Any
    ) -> Any:
        self.stage.calls.append(("POST", path, body if body is not None else query))
        answers: dict[str, Any] = {
            "/onggi/v1/undo": self.stage.undone(),
            "/onggi/v1/prune": {"SpaceReclaimed": 212 << 20},
        }
        made = path.endswith(("/create", "/exec", "/commit"))
        return {"Id": one_id("new")} if made else answers.get(path)

    async def delete(self, path: str, **query: Any) -> Any:
        self.stage.calls.append(("DELETE", path, query))
        return None

    async def stream(
        self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
    ) -> AsyncGenerator[Any, None]:
        if path.startswith("/onggi/v1/registry/"):
            yield REGISTRY[path.split("/")[-1].split("?")[0]]
            return
        if path == "/images/create":
            self.stage.calls.append((method, path, query))
            for line in PULL:
                yield line
            await asyncio.Event().wait()
        while True:
            yield await self.stage.asked.get()

    async def pieces(
        self, path: str, /, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
    ) -> AsyncGenerator[bytes, None]:
        if path.endswith("/file"):
            yield b"from gunicorn import app\n\n# \xec\x98\xb9\xea\xb8\xb0\nprint('\x1b[31mjar')\n"
            return
        found = path.split("/")[2]
        for stream, line in self.stage.logs.get(found, ()):
            data = (line + "\n").encode()
            yield bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
        await asyncio.Event().wait()

    async def hijack(self, path: str, body: object = None, **query: Any) -> HijackedSocket:
        if not self.stage.screen or path.endswith("/log"):
            raise NotFound("no terminal on this stage, and no files")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.stage.ends.append(theirs)
        return HijackedSocket(ours, ResponseHead(101, "UPGRADED", {}), self.stage.screen)

    async def upload(
        self,
        path: str,
        file: IO[bytes],
        progress: Callable[[int, int], None] | None = None,
        headers: Any = None,
        **query: Any,
    ) -> AsyncGenerator[Any, None]:
        self.stage.calls.append(("UPLOAD", path, query))
        yield {"stream": "Loaded image: busybox:1.37\n"}

    async def download(
        self, path: str, file: IO[bytes], progress: Callable[[int, int], None] | None = None, **query: Any
    ) -> int:
        self.stage.calls.append(("DOWNLOAD", path, query))
        return file.write(b"tar")


def potters_shop() -> Stage:
    """The shop of the pictures: ten containers in every state, twelve images, volumes and networks."""
    stage = Stage()
    mega = 1 << 20
    stage.add(
        "web", "nginx:1.27", ports={"80/tcp": "8080"}, ago=3 * MINUTE, health="healthy", cpu=1.2, memory=12 * mega
    )
    stage.add(
        "api",
        "shop/api:2.4",
        ports={"9000/tcp": "9000"},
        ago=3.2 * MINUTE,
        health="healthy",
        cpu=18.4,
        memory=96 * mega,
    )
    stage.add(
        "옹기-blog",
        "blog:latest",
        ports={"80/tcp": "8081"},
        ago=5 * HOUR,
        health="unhealthy",
        cpu=0.1,
        memory=31 * mega,
        volumes=["blog-content"],
    )
    stage.add(
        "db",
        "postgres:16",
        ports={"5432/tcp": ""},
        ago=2 * DAY,
        health="healthy",
        cpu=3.0,
        memory=140 * mega,
        volumes=["shop_pgdata"],
    )
    stage.add("cache", "redis:7", ports={"6379/tcp": ""}, ago=2.1 * DAY, cpu=0.3, memory=9 * mega)
    stage.add(
        "worker",
        "shop/worker:2.4",
        status="restarting",
        ago=2,
        health="starting",
        restarts=2,
        moments={"RestartsAt": stamp(NOW + 4)},
    )
    stage.add(
        "importer", "alpine:3.20", status="paused", ago=2 * HOUR, moments={"PausedAt": stamp(NOW - 11 * MINUTE)}
    )
    stage.add("job", "python:3.12", status="exited", ago=2 * HOUR, code=1)
    stage.add("migrate", "shop/api:2.4", status="exited", ago=3 * MINUTE)
    stage.add("shop-importer-nightly-2", "alpine:3.20", status="created", ago=HOUR)
    web = one_id("web")
    stage.logs[web] = nginx_log(NOW - 3 * MINUTE)
    stage.extra[f"/onggi/v1/containers/{web}/isolation"] = ISOLATION
    for reference, size in (
        ("nginx:1.27", 64), ("postgres:16", 151), ("redis:7", 39), ("shop/api:2.4", 212), ("shop/worker:2.4", 198),
        ("python:3.12", 124), ("blog:latest", 71), ("alpine:3.20", 8),
        ("ghcr.io/acme/reporting-service:1.9.3", 340), ("<none>3f2a91", 212),
        ("debian:12", 117), ("busybox:1.37", 4),
    ):  # fmt: skip
        stage.images.append((reference, size * mega))
    stage.volumes = [
        ("shop_pgdata", 412 * mega),
        ("shop_uploads", 88 * mega),
        ("blog-content", 3 * mega),
        ("cache", 1181 * mega),
        ("ci-home", 240 * mega),
    ]
    stage.networks = [("bridge", "bridge", "172.17.0.0/16"), ("host", "host", ""), ("none", "null", "")]
    return stage


ORDERS = (
    "\x1b[35mimport\x1b[m asyncio",
    "\x1b[35mfrom\x1b[m dataclasses \x1b[35mimport\x1b[m dataclass",
    "",
    "\x1b[32m@dataclass\x1b[m(frozen=\x1b[36mTrue\x1b[m)",
    "\x1b[35mclass\x1b[m \x1b[33mOrder\x1b[m:",
    "    jar: \x1b[36mstr\x1b[m = \x1b[33m'옹기'\x1b[m",
    "    count: \x1b[36mint\x1b[m = \x1b[36m1\x1b[m",
)


def workshop() -> Stage:
    """The shop with someone editing a file inside `api`."""
    stage = potters_shop()
    stage.containers[one_id("api")]["Config"] |= {"Tty": True, "OpenStdin": True}
    numbered = "".join(f"\x1b[33m{n:>3} \x1b[m{line}\r\n" for n, line in enumerate(ORDERS, 1))
    stage.screen = f"\x1b[2J\x1b[H{numbered}\x1b[7m orders.py [+] \x1b[m 38:16\r\n/srv # ".encode()
    return stage


def app_on(stage: Stage, **config: Any) -> OnggiApp:
    """The app on a stage, with a clock that stands still and fixed figures of the host."""

    async def ensure() -> bool:
        return False

    return OnggiApp(
        stage.client(stage),
        "unix:///run/onggi/engine.sock",
        ensure,
        config=Config(**config),
        now=lambda: NOW,
        meter=lambda: HOST,
        stats_every=0.05,
    )


def leave(app: OnggiApp) -> None:
    """Close the containers' ends of the terminals that the app has opened."""
    assert isinstance(app.calls.client, StageClient)
    for end in app.calls.client.stage.ends:
        end.close()


async def settled(pilot: Pilot[None]) -> None:
    """Wait until everything that the stage has to say is on the screen."""
    app = pilot.app
    assert isinstance(app, OnggiApp)
    stage = app.calls.client.stage  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        while not app.main.world.loaded or app.main.host is None:
            await pilot.pause(0.01)
        while any(not c.whole for c in app.main.world.containers.values()):
            await pilot.pause(0.01)
        running = {found for found, c in app.main.world.containers.items() if c.status == "running"}
        while not all(
            round(app.main.world.usage[f].cpu, 1) == stage.usage[f][0] if f in app.main.world.usage else False
            for f in running
        ):
            await pilot.pause(0.01)
    app.backend._stats_every = HOUR  # the figures are known and fixed: nothing need ask again
    await pilot.pause()
