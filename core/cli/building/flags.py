"""The flags of `onggi build`: those of `docker build`, and of `docker buildx build` where they make sense here.

What cannot be done is refused by name instead of left out in silence.
"""

from __future__ import annotations

from core.cli.building import limits
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, option, several, switch

_OFF = ("", "false", "0", "disabled", "off")
_WITHOUT = {
    "allow": "entitlements are not given: no step of a build is privileged",
    "annotation": "annotations are not supported: use --label",
    "attest": "attestations are not supported",
    "cgroup-parent": "the engine chooses the cgroup: limit the build by --memory and --cpu-quota",
    "provenance": "attestations are not supported",
    "sbom": "attestations are not supported",
    "security-opt": "every step is confined as containers are by default",
}


def refuse(given: Arguments) -> None:
    """Raises CommandFailed for the first flag that asks for what is not there."""
    for name, reason in _WITHOUT.items():
        asked = given.texts(name) if name not in ("cgroup-parent", "provenance", "sbom") else [given.text(name)]
        if any(text.lower() not in _OFF and not (name == "allow" and text == "network.host") for text in asked):
            raise CommandFailed(f"ERROR: --{name} is not supported: {reason}")
    if given.text("isolation") not in ("", "default"):
        raise CommandFailed("ERROR: --isolation is not supported: it is for Windows")


FLAGS = (
    *limits.FLAGS,
    several("allow", "", 'Allow extra privileged entitlement ("network.host" needs none here, others are refused)'),
    several("annotation", "", "Add annotation to the image (not supported)"),
    several("attest", "", "Attestation parameters (not supported)"),
    several("build-arg", "", "Set build-time variables"),
    several("build-context", "", "Additional build contexts (name=path, a git repository, the URL of an archive, "
            "docker-image://NAME, oci-layout://FOLDER)"),
    several("cache-from", "", 'External cache sources (an image, "type=registry,ref=NAME", '
            '"type=local,src=FOLDER")'),
    several("cache-to", "", 'Cache export destinations ("type=inline", "type=registry,ref=NAME[,mode=max]", '
            '"type=local,dest=FOLDER[,mode=max]")'),
    option("call", "", 'Set method for evaluating build ("build", "check", "targets")'),
    option("cgroup-parent", "", "Set the parent cgroup for the RUN instructions (not supported)"),
    switch("check", "", 'Shorthand for "--call=check": tell what is odd about the Dockerfile and build nothing'),
    switch("compress", "", "Compress the build context (nothing is sent over a network)"),
    switch("debug", "", "Open a shell in the file system of a step that fails"),
    switch("detach", "d", "Build in the background and print the build's ID (see `builder logs`)"),
    switch("disable-content-trust", "", "Skip image verification", default=True),
    option("file", "f", 'Name of the Dockerfile (default: "PATH/Dockerfile"; "-" reads it from stdin)'),
    switch("force-rm", "", "Always remove intermediate containers (there are none)"),
    option("iidfile", "", "Write the image ID to a file"),
    option("isolation", "", 'Container isolation technology ("default")'),
    several("label", "", "Set metadata for an image"),
    switch("load", "", "Keep the image in the engine (it always is)"),
    option("metadata-file", "", "Write build result metadata to a file"),
    switch("no-cache", "", "Do not use cache when building the image"),
    several("no-cache-filter", "", "Do not cache specified stages", metavar="stage"),
    several("output", "o", 'Output destination (format: "type=local,dest=path"; local, tar, docker, oci, image, '
            "registry, cacheonly)"),
    option("platform", "", "Set target platform for build"),
    option("progress", "", 'Set type of progress output ("auto", "plain", "tty", "quiet", "rawjson", "json")'),
    option("provenance", "", "Shorthand for attestations (not supported)"),
    switch("pull", "", "Always attempt to pull all referenced images"),
    switch("push", "", 'Shorthand for "--output=type=registry": push the image when it is built'),
    switch("quiet", "q", "Suppress the build output and print image ID on success"),
    switch("rm", "", "Remove intermediate containers (there are none)", default=True),
    option("sbom", "", "Shorthand for attestations (not supported)"),
    several("secret", "", "Secret to expose to the build "
            '(format: "id=mysecret[,src=/local/secret|,env=VARIABLE]")'),
    several("security-opt", "", "Security options (not supported)"),
    switch("squash", "", "Squash newly built layers into a single new layer"),
    several("ssh", "", "SSH agent socket or keys to expose to the build "
            '(format: "default|<id>[=<socket>|<key>[,<key>]]")'),
    several("tag", "t", 'Name and optionally a tag (format: "name:tag")', metavar="list"),
    option("target", "", "Set the target build stage to build"),
)  # fmt: skip
