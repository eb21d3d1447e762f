"""The images of the cluster, as files that containerd imports: ours, made by buildah from the Dockerfile, and one of
busybox alone for pause containers and workloads. What takes long is kept in the cache folder."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("SKBTRAIL_CACHE", pathlib.Path.home() / ".cache/skbtrail")) / "e2e"
# As docs/install.md has it, whose commands are run as they stand.
AGENT = "registry.example/net/skbtrail:0.1.0"
BUSYBOX = "localhost/busybox:e2e"
# Once made; the name by which a registry would give it comes first.
PUBLIC_BASE = "docker.io/library/debian:bookworm-slim"
OWN_BASE = "localhost/debian-slim:bookworm"
# Folders that the public one is without, too; an emulated machine takes its time to unpack them.
NOT_SLIM = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/info", "usr/share/locale",
            "usr/share/man")
REGISTRY_WITHIN = 60
APPLETS = ("sh", "httpd", "nc", "nslookup", "ping", "sleep", "test", "timeout", "wget")


class Lacking(Exception):
    """What this machine does not have; for the line of a skipped test."""


def run(*command, timeout=900, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, check=False,
                          **options)
    if done.returncode:
        raise Lacking(f"`{' '.join(map(str, command[:3]))}` failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def buildah(*words, **options):
    """With a store of its own, and without what containers need: it also works inside of one."""
    env = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    return run("buildah", "--root", CACHE / "storage", "--runroot", CACHE / "run", *words, env=env, **options)


def is_there(image):
    return image in re.findall(r"\S+", buildah("images", "--format", "{{.Name}}:{{.Tag}}"))


def mirror():
    """Where this machine has its packages from; nothing: debootstrap knows a place itself."""
    return run("apt-get", "indextargets", "--format", "$(SITE)", "Codename: bookworm").split()[:1]


def base():
    """The Dockerfile's base: of a registry or, where none can be reached, made from Debian's packages."""
    for image in (PUBLIC_BASE, OWN_BASE):
        if is_there(image):
            return image
    try:
        buildah("pull", "--quiet", PUBLIC_BASE, timeout=REGISTRY_WITHIN)
        return PUBLIC_BASE
    except (Lacking, subprocess.TimeoutExpired):
        return own_base()


def own_base():
    if not shutil.which("debootstrap"):
        raise Lacking("a registry with Debian's image, and debootstrap, which makes one")
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # Its parent is for its owner alone; what becomes the image's root is not.
        system = pathlib.Path(folder) / "system"
        run("debootstrap", "--variant=minbase", "bookworm", system, *mirror())
        for name in NOT_SLIM:
            shutil.rmtree(system / name, ignore_errors=True)
        container = buildah("from", "scratch").strip()
        buildah("add", container, system, "/")
        buildah("config", "--cmd", "bash", container)
        buildah("commit", "--rm", container, OWN_BASE)
    return OWN_BASE


def runtime():
    """The Dockerfile up to its stage `runtime`: all but the program."""
    below = base()
    key = hashlib.sha256((ROOT / "Dockerfile").read_bytes() + below.encode()).hexdigest()[:12]
    image = f"localhost/skbtrail-runtime:{key}"
    if not is_there(image):
        buildah("build", "--build-arg", f"BASE={below}", "--target", "runtime", "--tag", image, ROOT)
    return image


def from_whole_dockerfile():
    buildah("build", "--build-arg", f"BASE={base()}", "--tag", AGENT, ROOT, timeout=3600)


def from_built_program(program):
    """The last stage of the Dockerfile by hand, with a program that is there already: a compiler in a container takes
    as long as all other things together."""
    container = buildah("from", runtime()).strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            stripped = pathlib.Path(folder) / "skbtrail"
            run("strip", "-o", stripped, program)
            buildah("copy", "--chmod", "755", container, stripped, "/usr/bin/skbtrail")
        buildah("run", container, "skbtrail", "--version")
        buildah("commit", "--quiet", container, AGENT)
    finally:
        buildah("rm", container)
    with contextlib.suppress(Lacking):  # those of earlier runs, which have lost their name to this one
        buildah("rmi", "--prune")


def make_agent(program=None):
    """Our image; without `program` all of it is compiled in the image's build stage."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not shutil.which("buildah"):
        raise Lacking("buildah")
    from_built_program(program) if program else from_whole_dockerfile()


def write_agent(path, program=None):
    """The same as a file, with its layers compressed as a registry would hold them; its size in bytes."""
    make_agent(program)
    buildah("push", "--quiet", AGENT, f"oci-archive:{path}:{AGENT}")
    return path.stat().st_size


def write_store(path, *archives):
    """The folder of a containerd that has imported these."""
    run("unshare", "--mount", "--propagation", "private", pathlib.Path(__file__).resolve().parent / "fill_containerd", path,
        *archives)


def put(archive, name, content=b"", **attributes):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    archive.addfile(entry, io.BytesIO(content))


def write_busybox(path):
    """As `docker save` would write it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        put(archive, "bin", type=tarfile.DIRTYPE, mode=0o755)
        put(archive, "tmp", type=tarfile.DIRTYPE, mode=0o1777)
        put(archive, "bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), mode=0o755)
        for applet in APPLETS:
            put(archive, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
    content = layer.getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "2147483647"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [BUSYBOX], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as image:
        for name, part in (("layer.tar", content), ("config.json", config), ("manifest.json", manifest)):
            put(image, name, part)
