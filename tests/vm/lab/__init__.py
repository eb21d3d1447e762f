"""The kernel lab: Debian's kernels, booted in QEMU on top of this machine's own root file system."""
