# SPDX-License-Identifier: Apache-2.0
"""tcpdump on a cable between two containers, beside the real one: the same packets with the same bytes, as tshark reads them."""

import collections
import os
import signal
import socket
import struct
import subprocess
import time

import containers
import ig
import pytest
import wires

FILTER = "arp or ip or (icmp6 and ip6[40] >= 128 and ip6[40] <= 129) or vlan"
MOST = 30000 + 14  # bytes of a frame that are taken
PAYLOAD = 3_000_000
# What is not the test's own, and may come at any time.
NOT_NOISE = 'frame.interface_name != "lo"'


@pytest.fixture
def peers(lab):
    """Two containers with a cable between them, and what listens at the second one."""
    one = lab.start("sleep 1000", edit=wires.may("NET_RAW"))
    other = lab.start("(sleep 1000 | nc -l -p 7000 >/dev/null) & sleep 1000")
    wires.join(one, other)
    return one, other


def device(c):
    return containers.run("nsenter", "-t", str(c.pid), "-n", "sh", "-c", "ls /proc/sys/net/ipv4/conf | grep igw").text.strip()


def traffic(one):
    """Fragments, IPv6, and payload that the kernel keeps in pages."""
    one.exec("ping", "-c", "2", wires.address(2), check=False)
    one.exec("ping", "-c", "1", "-s", "4000", wires.address(2), check=False)
    one.exec("ping", "-c", "1", wires.address(2, 6), check=False)
    one.exec("sh", "-c", f"yes 0123456789abcde | head -c {PAYLOAD} | nc {wires.address(2)} 7000", check=False)


class RealTcpdump:
    def __init__(self, c, path):
        containers.require("tcpdump", "tshark")
        self.path = path
        self.process = subprocess.Popen(["nsenter", "-t", str(c.pid), "-n", "tcpdump", "-i", device(c), "-n", "-U", "-Z", "root",
                                         "-B", "32768", "-w", path, FILTER], stderr=subprocess.PIPE, text=True)
        assert any("listening" in line for line in self.process.stderr)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=20)[1]


def tshark(path, *args):
    return containers.run("tshark", "-n", "-r", path, *args).text


def frames(path):
    """(whole length, bytes) of each packet in a pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, found = 24, []
    while at < len(data):
        taken, length = struct.unpack_from(order + "8xII", data, at)
        found.append((length, data[at + 16:at + 16 + taken][:MOST]))
        at += 16 + taken
    return collections.Counter(found)


def captured(path, tmp_path):
    """The same of a pcap-ng file; tshark makes the other kind of it."""
    plain = str(tmp_path / "plain.pcap")
    containers.run("tshark", "-n", "-r", path, "-Y", NOT_NOISE, "-F", "pcap", "-w", plain)
    return frames(plain)


def capture(one, tmp_path, *args):
    path = str(tmp_path / "ours.pcapng")
    with open(path, "wb") as out, ig.Ig("run", "tcpdump", "-o", "pcap-ng", "-c", one.name, *args, stdout=out) as running:
        running.ready()
        real = RealTcpdump(one, str(tmp_path / "real.pcap"))
        traffic(one)
        time.sleep(1.5)  # the real one reads its ring once a second, and leaves the rest
        assert running.stop() == 0, running.err
        said = real.stop()
    assert "\n0 packets dropped by kernel" in said, said
    return path, running.totals()


def test_same_packets_and_bytes(peers, tmp_path):
    one, _ = peers
    path, totals = capture(one, tmp_path, "--pf", FILTER)
    assert totals.lost == 0
    real, ours = frames(str(tmp_path / "real.pcap")), captured(path, tmp_path)
    assert sum(real.values()) > 60
    assert any(length > MOST for length, _ in real), "no segment is as large as it should be here"
    assert {(n, b[:60]): c for (n, b), c in (real - ours).items()} == {}
    assert {(n, b[:60]): c for (n, b), c in (ours - real).items()} == {}


def test_comments_directions_and_counts(peers, tmp_path):
    one, _ = peers
    path, totals = capture(one, tmp_path)
    rows = [line.split("\t") for line in tshark(
        path, "-T", "fields", *(a for f in ("frame.interface_name", "frame.interface_description", "frame.packet_flags_direction",
                                            "frame.comment", "icmp.type", "ip.dst") for a in ("-e", f))).splitlines()
        if "\t" in line]
    assert len(rows) == totals.delivered
    echoes = [r for r in rows if r[4] == "8"]
    assert echoes and all(r[:3] == [device(one), one.name, "0x00000002"] for r in echoes)
    assert all(r[3].startswith(f"container: {one.name}; process: ping[") for r in echoes)
    replies = [r for r in rows if r[4] == "0"]
    assert replies and all(r[2] == "0x00000001" and r[3] == f"container: {one.name}" for r in replies)


def test_replay_writes_the_same_capture(peers, tmp_path):
    one, _ = peers
    record = str(tmp_path / "r.rec")
    path, _ = capture(one, tmp_path, "--record", record, "--pf", "icmp")
    again = str(tmp_path / "again.pcapng")
    with open(again, "wb") as out:
        subprocess.run([ig.IG, "replay", record, "-o", "pcap-ng"], stdout=out, stderr=subprocess.DEVNULL, check=True)
    assert captured(path, tmp_path) == captured(again, tmp_path)
    assert "Echo (ping) request" in tshark(again)
    assert os.path.getsize(again) == os.path.getsize(path)


def dropped(path):
    """What the interfaces' counts of a pcap-ng file say that was lost."""
    with open(path, "rb") as f:
        data = f.read()
    at, total = 0, 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        option = at + 20
        while kind == 5 and option < at + size - 4:
            code, length = struct.unpack_from("<HH", data, option)
            total += struct.unpack_from("<Q", data, option + 4)[0] if code == 5 else 0
            option += 4 + (length + 3 & ~3)
        at += size
    return total


def test_loss_stands_in_the_file(peers, tmp_path):
    one, _ = peers
    path = str(tmp_path / "lossy.pcapng")
    with open(path, "wb") as out, ig.Ig("run", "tcpdump", "-o", "pcap-ng", "-c", one.name, "--buffer-size", "64KiB",
                                        stdout=out) as running:
        running.ready()
        running.process.send_signal(signal.SIGSTOP)
        traffic(one)
        running.process.send_signal(signal.SIGCONT)
        assert running.stop() == 0, running.err
        totals = running.totals()
    assert totals.lost and totals.seen == totals.delivered + totals.lost
    assert dropped(path) == totals.lost
    assert len(tshark(path).splitlines()) >= totals.delivered


def test_at_a_daemon(peers, agent, tmp_path):
    """The daemon compiles the filter; the capture is written here, byte for byte as without one."""
    one, _ = peers
    done = ig.once("--remote", agent.address, "run", "tcpdump", "--pf", "porrt 80", "--timeout", "1")
    assert done.returncode and "syntax error" in done.err
    path = str(tmp_path / "remote.pcapng")
    args = ("run", "tcpdump", "-o", "pcap-ng", "-c", one.name, "--pf", "icmp")
    with open(path, "wb") as out, open(tmp_path / "there.pcapng", "wb") as far, ig.Ig(*args, stdout=out) as here, \
            ig.Ig("--remote", agent.address, *args, stdout=far) as there:
        here.ready()
        time.sleep(1.5 * containers.SLOWER)  # nothing tells when a daemon's programs are attached
        one.exec("ping", "-c", "3", "-s", "4000", wires.address(2), check=False)
        time.sleep(0.5)
        assert there.stop() == 0, there.err
        here.stop()
    assert captured(path, tmp_path) == captured(str(tmp_path / "there.pcapng"), tmp_path)
    assert sum(captured(path, tmp_path).values()) == 18


def test_pipe_into_tshark(peers):
    """A reader sees packets as they come, and its end ends the run."""
    one, _ = peers
    reader = subprocess.Popen(["tshark", "-n", "-l", "-i", "-", "-c", "2", "-Y", "icmp"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with ig.Ig("run", "tcpdump", "-o", "pcap-ng", "-c", one.name, "--pf", "icmp", stdout=reader.stdin) as running:
        reader.stdin.close()
        running.ready()
        one.exec("ping", "-c", "3", wires.address(2), check=False)
        assert reader.stdout.read().count("Echo (ping)") == 2
        reader.wait(20)
        one.exec("ping", "-c", "3", wires.address(2), check=False)
        running.wait()


@pytest.mark.parametrize("expression, words", [("porrt 80", "syntax error"), ("inbound", "only a packet socket knows"),
                                               ("host www.example.com", "unknown host"), ("ether[600] = 1", "byte 600")])
def test_filters_that_cannot_be(expression, words):
    done = ig.once("run", "tcpdump", "--pf", expression, "--timeout", "1")
    assert done.returncode == 2 and words in done.err and done.out.count("\n") <= 1, done.err


def test_the_host_is_nobody_elses(whole_lab):
    """Frames of the host's own network, only where it is asked for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        args = ["run", "tcpdump", "-o", "json", "--pf", f"udp port {taken.getsockname()[1]}"]
        with ig.Ig(*args, "--host") as host, ig.Ig(*args) as without:
            host.ready()
            without.ready()
            taken.sendto(b"to myself", taken.getsockname())
            r = host.wait_record(lambda r: r["dev"] == "lo")
            assert host.stop() == 0 and without.stop() == 0
    assert ig.container_of(r) in (None, "") and r["length"] == 14 + 20 + 8 + len(b"to myself"), r
    assert len(host.records()) == 1 and not without.records()
