"""Debian's archive as this machine's apt knows it, asked about other suites without touching the machine's own lists."""

import os
import pathlib
import re
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHITECTURE = "amd64"


class ArchiveError(Exception):
    """What could not be had from the archive, with apt's own words."""


def mirror():
    """The Debian mirror that this machine's apt is set up with."""
    if os.environ.get("SKBTRAIL_DEBIAN_MIRROR"):
        return os.environ["SKBTRAIL_DEBIAN_MIRROR"].rstrip("/")
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"],
        capture_output=True, text=True, check=False).stdout
    suites = r"bullseye|bookworm|trixie|forky|sid|stable|oldstable|testing|unstable"
    found = re.search(rf"^(\S+) (?:{suites}) main$", listing, re.MULTILINE)
    if not found:
        raise ArchiveError("no Debian suite among this machine's apt sources; name a mirror in SKBTRAIL_DEBIAN_MIRROR")
    return found.group(1).rstrip("/")


class Suite:
    """One suite of the archive with its own index under `folder`."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def update(self):
        sources = self.folder / "sources.list"
        sources.write_text(f"deb [arch={ARCHITECTURE} signed-by={KEYRING}] {mirror()} {self.name} main\n")
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        # A failed download is only a warning to `apt-get update`, and the old index stays; any error must be one here.
        self._apt("apt-get", "update", "-q", "--error-on=any")

    def has_index(self):
        return any(self.folder.glob("lists/*_Packages*"))

    def versions(self, package):
        """Records of every version of `package` in the index, newest first."""
        text = self._apt("apt-cache", "show", package, check=False)
        records = [dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", record, re.MULTILINE))
                   for record in text.split("\n\n") if record.strip()]
        return [record for record in records if record.get("Package") == package]

    def names(self, pattern):
        return [name for name in self._apt("apt-cache", "pkgnames").split() if re.fullmatch(pattern, name)]

    def download(self, package, version, into):
        self._apt("apt-get", "download", "-q", f"{package}={version}", cwd=into)

    def download_with_dependencies(self, package, into):
        """Downloads `package` and all it needs down to libc, as if nothing were installed."""
        uris = self._apt("apt-get", "install", "-q", "--yes", "--print-uris", "--no-install-recommends", package)
        names = re.findall(r"^'\S+' (\S+?)_\S+ \d+ ", uris, re.MULTILINE)
        if not names:
            raise ArchiveError(f"{self.name}: cannot tell what {package} needs")
        self._apt("apt-get", "download", "-q", *names, cwd=into)

    def _apt(self, program, *arguments, check=True, cwd=None):
        options = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Sandbox::User": "root",
            "Acquire::Retries": "3",
        }
        command = [program]
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        done = subprocess.run(command + list(arguments), cwd=cwd, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
        if check and done.returncode:
            complaint = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))] or ["no reason given"]
            raise ArchiveError(f"{self.name}: {program} {arguments[0]}: {'; '.join(complaint[:3])}")
        return done.stdout
