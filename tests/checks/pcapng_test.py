#!/usr/bin/env python3
"""Has tshark read a capture, and checks what it says: pcapng_test.py COMMAND [ARGUMENT...], which writes it to stdout.

The command is sample_output, whose packets are known. Exits with 77 where there is no tshark.
"""
import json
import shutil
import subprocess
import sys


FIELDS = ("frame.comment", "frame.interface_name", "tcp.dstport", "icmpv6.type")


def read(capture):
    """The fields that tshark finds, one dictionary for each packet; None when it does not take the file."""
    command = ["tshark", "-n", "-r", "-", "-T", "json"] + [part for field in FIELDS for part in ("-e", field)]
    done = subprocess.run(command, input=capture, capture_output=True, check=False)
    if done.returncode:
        print(done.stderr.decode(errors="replace"))
        return None
    return [{name: values[0] for name, values in packet["_source"]["layers"].items()}
            for packet in json.loads(done.stdout)]


def faults(packets):
    comments = [packet.get("frame.comment", "") for packet in packets]
    if len(packets) < 20:
        yield f"only {len(packets)} packets"
    if not all(comment.startswith(("hop ", "drop ")) and ", packet " in comment for comment in comments):
        yield f"comments: {comments}"
    if not any("drop NETFILTER_DROP at nf_hook_slow+0x9f" in comment for comment in comments):
        yield "the drop and its reason are in no comment"
    if not any(packet.get("tcp.dstport") == "80" for packet in packets):
        yield "no packet to TCP port 80"
    if not any(packet.get("icmpv6.type") == "128" for packet in packets):
        yield "no ICMPv6 echo request"
    interfaces = {packet.get("frame.interface_name") for packet in packets}
    if "eth0@4026532165" not in interfaces:
        yield f"interfaces: {interfaces}"


def main():
    if not shutil.which("tshark"):
        print("skipped: tshark is not installed")
        return 77
    packets = read(subprocess.run(sys.argv[1:], check=True, capture_output=True).stdout)
    if packets is None:
        return 1
    found = list(faults(packets))
    print("\n".join(found) if found else f"{len(packets)} packets, as they must be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
