#!/usr/bin/env python3
"""The scenarios of pwru's own tests (.github/workflows/test.yml of cilium/pwru): its command lines, its traffic, and what
it expects to see, as text. Rules are nft's; what is dropped is told with its reason besides. Those for TC and XDP programs
are with the suites of these."""

import contextlib
import re
import socket

import suite_lib as lab

# Any of the functions in which a kernel gives a packet up, or the drop itself.
GIVEN_UP = r".*(kfree_skb|kfree_skb_reason|sk_skb_reason_drop\b|DROP )"


def connect(netns, address, port, family=socket.AF_INET):
    """What `curl --connect-timeout 1` does to a server that does not answer."""
    with lab.socket_in(netns, family, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        with contextlib.suppress(OSError):
            client.connect((address, port))


def seen(pattern, generate, *arguments):
    """Traces while `generate` runs, until a line matches what pwru's test expects."""
    with lab.Trace(*arguments, output="text") as trace:
        generate()
        found = lab.wait_until(lambda: re.search(pattern, trace.stdout_path.read_text()), 20)
    assert trace.status == 0 and lab.Totals.parse(trace.stderr), trace.stderr
    assert found, (pattern, trace.stdout_path.read_text()[-3000:], trace.stderr)
    return trace.stdout_path.read_text()


def drop_out(end, protocol, address, port=8080):
    end.run("nft", f"add table {protocol} t; add chain {protocol} t o {{ type filter hook output priority 0; }}; "
                   f"add rule {protocol} t o {protocol} daddr {address} tcp dport {port} drop")


def told_reason(text):
    assert lab.kernel_version() < (5, 18) or re.search(r"DROP +NETFILTER_DROP at ", text), text[-2000:]


def check_drops(pair):
    v4, v6 = socket.AF_INET, socket.AF_INET6
    cases = (
        ("basic IPv4", "ip", v4, "1.0.0.1", "dst host 1.0.0.1 and port 8080"),
        ("basic IPv6", "ip6", v6, "2606:4700:4700::1001", "dst host 2606:4700:4700::1001 and port 8080"),
        ("advanced IPv4", "ip", v4, "1.0.0.2", "tcp[tcpflags] = tcp-syn"),
        ("advanced IPv6", "ip6", v6, "2606:4700:4700::1002", "ip6[53] & 0x3f = 0x2"),
    )
    for name, protocol, family, address, expression in cases:
        with lab.test(name):
            drop_out(pair.left, protocol, address)
            shown = rf"\[{address}\]" if family == v6 else re.escape(address)
            told_reason(seen(rf"{shown}:8080{GIVEN_UP}",
                             lambda family=family, address=address: connect(pair.left.netns, address, 8080, family),
                             expression))
            pair.left.run("nft", f"delete table {protocol} t")


def check_multi(pair):
    if lab.kernel_version() < (5, 18):
        raise lab.Skip("kprobe.multi (Linux 5.18)")
    if "not available" in lab.run("skbtrail", "trace", "--backend=kprobe-multi", "--probes", "path", "--max-events", "1",
                                  "--duration", "1ms", check=False, timeout=120).stderr:
        raise lab.Skip("kprobe.multi (CONFIG_FPROBE)")
    drop_out(pair.left, "ip", "1.0.0.1")
    told_reason(seen(rf"1\.0\.0\.1:8080{GIVEN_UP}", lambda: connect(pair.left.netns, "1.0.0.1", 8080),
                     "--backend=kprobe-multi", "dst host 1.0.0.1 and port 8080"))
    pair.left.run("nft", "delete table ip t")


def check_payload(pair):
    """A filter that computes with what it loaded before: packets of TCP with data."""
    with lab.socket_in(pair.right.netns, socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind((pair.right.v4, 80))
        server.listen()

        def talk():
            with lab.socket_in(pair.left.netns, socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(20)
                client.connect((pair.right.v4, 80))
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        # Others are there, too: in __ip_local_out() an IP header has no length yet to compute with.
        seen(re.escape(f"{pair.right.v4}:80") + r".*PSH", talk, "--output-tcp-flags",
             "(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)")


def check_track(pair):
    """After address translation a packet no longer matches, and is followed all the same."""
    pair.left.run("nft", "add table ip n; add chain ip n o { type nat hook output priority -100; }; "
                         "add rule ip n o ip daddr 10.10.20.99 dnat to 10.10.14.2")
    text = seen(r"10\.10\.14\.2:80", lambda: connect(pair.left.netns, "10.10.20.99", 80), "--filter-track-skb",
                "dst host 10.10.20.99")
    assert "10.10.20.99:80" in text, text[-2000:]
    packet = next(line.split()[0] for line in text.splitlines()[1:] if "10.10.20.99:80" in line)
    assert any(line.split()[0] == packet for line in text.splitlines() if "10.10.14.2:80" in line), text[-2000:]
    pair.left.run("nft", "delete table ip n")


def check_arp(pair):
    pair.left.netns.ip("addr", "add", "10.77.0.1/32", "dev", pair.left.device)
    pair.right.netns.ip("route", "add", "169.254.0.1", "dev", pair.right.device)
    seen("arp_rcv", lambda: pair.right.run("ping", "-W1", "-c1", "169.254.0.1", check=False),
         "arp and arp[7] = 1 and arp[24]= 169 and arp[25] = 254 and arp[26] = 0 and arp[27] = 1")


def check_loopback():
    with lab.Netns() as netns:
        def ping():
            netns.run("ping", "-W1", "-c1", "127.0.0.1")
        index = netns.ifindex("lo")
        with lab.test("--filter-skb-expr"):
            seen("icmp", ping, "--filter-skb-expr", f"skb->dev->ifindex == {index}", "icmp")
        with lab.test("--filter-ifname"):
            seen("icmp", ping, "--filter-netns", netns.path, "--filter-ifname", "lo", "icmp")


lab.load_module("nf_tables")
lab.load_module("nft_chain_nat", "nft_chain_nat_ipv4")
with lab.NetnsPair() as ends:
    ends.left.run("ping", "-c", "1", ends.right.v4)
    ends.left.netns.ip("route", "add", "default", "via", ends.right.v4)
    ends.left.netns.ip("-6", "route", "add", "default", "via", ends.right.v6)
    check_drops(ends)
    with lab.test("--backend=kprobe-multi"):
        check_multi(ends)
    with lab.test("pcap filter using stack"):
        check_payload(ends)
    with lab.test("--filter-track-skb"):
        check_track(ends)
    with lab.test("ARP filter"):
        check_arp(ends)
check_loopback()
lab.finish()
