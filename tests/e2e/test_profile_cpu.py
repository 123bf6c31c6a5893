# SPDX-License-Identifier: Apache-2.0
"""profile_cpu: shares and sums against what a program is known to do, beside perf; flame graphs and pprof's files."""

import bisect
import gzip
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest

import containers
import ig

SVG = "{http://www.w3.org/2000/svg}"


def lines(out):
    """{stack: count}"""
    return {stack: int(n) for stack, n in (line.rsplit(" ", 1) for line in out.splitlines())}


def having(stacks, function):
    return sum(n for stack, n in stacks.items() if function in re.split(";", stack))


def profile(lab, script, *args):
    """(output, standard error) of a run over a container's life."""
    name = lab.name()
    with ig.Ig("run", "profile_cpu", "-c", name, *args) as running:
        running.ready()
        lab.container(script, name=name).run()
        assert running.stop() == 0, running.err
        return running.out, running.err


@pytest.mark.kernels
@pytest.mark.parametrize("program", ["burn", "burn_pie", "burn_pie.static", "burn_pie.musl"])
def test_shares(lab, program):
    """As many samples as the CPU time that it took, in the functions that took it, however it is linked."""
    out, err = profile(lab, f"{program} shares 2000", "-o", "folded", "--frequency", "500", "--comm", program)
    stacks = lines(out)
    total, thirty, seventy = sum(stacks.values()), having(stacks, "thirty"), having(stacks, "seventy")
    # More where the time of interrupts, and of other machines on a virtual one's CPUs, is not taken for its own.
    # A guest whose CPUs wait for their turn misses timers: there are fewer, in the same shares.
    guest = containers.SLOWER > 1
    assert (100 if guest else 930) < total < 1400, (out, err)
    assert thirty + seventy > (0.8 if guest else 0.97) * total, out
    assert abs(thirty / (thirty + seventy) - 0.3) < (0.1 if guest else 0.05), out
    assert ig.totals(err).lost == 0


def test_shared_library(lab):
    out, _ = profile(lab, "burn_library 1000", "-o", "folded", "--comm", "burn_library")
    stacks = lines(out)
    assert having(stacks, "crc32_z") > 0.8 * sum(stacks.values()), out


def test_beside_stress_ng(lab):
    """The CPU time that it says that it took, of two processes, in programs and in the kernel."""
    rootfs, name = lab.rootfs_with("stress-ng"), lab.name()

    def edit(config):
        config["root"]["path"] = rootfs

    c = lab.container("cd /tmp && stress-ng --cpu 1 --get 1 --timeout 4 --metrics-brief --log-brief 2>&1", name=name, edit=edit)
    with ig.Ig("run", "profile_cpu", "-c", name, "-o", "json", "--interval", "60s") as running:
        running.ready()
        c.run(check=True)
        assert running.stop() == 0, running.err
    ours = sum(r["cpu"] for r in running.records() if r["proc"]["comm"].startswith("stress-ng")) / 1e9
    times = re.findall(r"(?:cpu|get) +\d+ +[\d.]+ +([\d.]+) +([\d.]+) ", c.log())
    assert len(times) == 2, c.log()
    theirs = sum(float(t) for pair in times for t in pair)
    assert abs(ours - theirs) < 0.1 * theirs + 0.1, (ours, theirs)


def functions_of(path):
    """Of a place in a program that is linked to lie at 0x400000: its function."""
    table = subprocess.run(["nm", "-n", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    known = [(int(address, 16), name) for address, name in re.findall(r"^([0-9a-f]+) [tT] (\S+)$", table, re.M)]
    return lambda address: known[max(0, bisect.bisect_right(known, (0x400000 + address, "\x7f")) - 1)][1]


def test_beside_perf(lab, tmp_path):
    """The same load, at the same time, by perf: shares of its functions, and of what is the kernel's."""
    containers.require("perf")
    name, data = lab.name(), str(tmp_path / "perf.data")
    c = lab.container("burn shares 5000 & burn calls 5000; wait", name=name)
    with ig.Ig("run", "profile_cpu", "-c", name, "-o", "folded", "--comm", "burn") as running:
        running.ready()
        with subprocess.Popen(["perf", "record", "-q", "-a", "-F", "99", "-g", "-e", "cpu-clock", "-o", data],
                              stderr=subprocess.DEVNULL) as recording:
            containers.wait_for(lambda: os.path.exists(data), 10, "perf")
            time.sleep(1)  # it begins some time after it has made the file
            c.run()
            recording.terminate()
            recording.wait(30)
        assert running.stop() == 0, running.err
        ours = lines(running.out)
    script = subprocess.run(["perf", "script", "-i", data, "--comms", "burn", "-F", "comm,ip,sym"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True, timeout=60).stdout
    program = functions_of(f"{lab.rootfs}/bin/burn")  # which perf does not find in the container
    theirs = [{program(int(at, 16)) if len(at) < 12 else name for at, name in re.findall(r"^\s+(\w+) (\S+)$", sample, re.M)}
              for sample in script.split("\n\n") if sample.strip()]
    assert len(theirs) > 600
    total = sum(ours.values())
    assert abs(total - len(theirs)) < 0.2 * len(theirs), (total, len(theirs))  # it changes its period to come near 99
    for function in ("vfs_read_[k]", "thirty", "seventy"):
        their = sum(function.removesuffix("_[k]") in sample for sample in theirs) / len(theirs)
        assert abs(having(ours, function) / total - their) < 0.07, (function, their, running.out)


def test_flamegraph_live_replayed_and_remote(agent, lab):
    path, name = os.path.join(agent.records, "cpu.rec"), lab.name()
    with ig.Ig("run", "profile_cpu", "-o", "flamegraph", "-c", name, "--record", path) as running:
        running.ready()
        lab.container("burn shares 1000; cp /bin/burn '/tmp/<b>&\"]]>'; '/tmp/<b>&\"]]>' shares 500", name=name).run()
        assert running.stop() == 0, running.err
        live = running.out
    assert ig.once("replay", path, "-o", "flamegraph", check=0).out == live
    assert agent.once("replay", os.path.basename(path), "-o", "flamegraph", check=0).out == live
    samples = sum(lines(ig.once("replay", path, "-o", "folded", check=0).out).values())
    page = ET.fromstring(live.encode())
    titles = [e.text for e in page.iter(SVG + "title")]
    assert f"all ({samples} samples, 100.00%)" in titles
    assert any(t.startswith(f"{name} (") for t in titles) and any(t.startswith("seventy (") for t in titles)
    assert any(t.startswith("<b>&\"]]> (") for t in titles), titles
    assert not re.search(r"(href|src)=|url\(|@import", live), "it refers to something outside"


def load_profile(folder):
    protoc = containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
    source = os.path.join(containers.TOP, "src/columns")
    assert protoc.main(["protoc", f"-I{source}", f"--python_out={folder}", os.path.join(source, "profile.proto")]) == 0
    sys.path.insert(0, str(folder))
    import profile_pb2
    return profile_pb2.Profile


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(r"Build ID: (\w+)", notes)[1]


def test_pprof(agent, lab, tmp_path):
    Profile = load_profile(tmp_path)
    path, name = os.path.join(agent.records, "pprof.rec"), lab.name()
    with ig.Ig("run", "profile_cpu", "-o", "none", "-c", name, "--record", path) as running:
        running.ready()
        lab.container("burn shares 1500; burn calls 500", name=name).run()
        assert running.stop() == 0, running.err
    files = {}
    for where, command in (("here", [ig.IG]), ("there", [ig.IG, "--remote", agent.address])):
        files[where] = subprocess.run([*command, "replay", path if where == "here" else "pprof.rec", "-o", "pprof"],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=60).stdout
    assert files["here"] == files["there"]
    p = Profile.FromString(gzip.decompress(files["here"]))
    text = p.string_table
    assert text[0] == "" and [(text[t.type], text[t.unit]) for t in p.sample_type] == [
        ("samples", "count"), ("cpu", "nanoseconds")]
    assert p.period == 1000000000 // 99 and text[p.period_type.unit] == "nanoseconds"
    functions = {f.id: text[f.name] for f in p.function}
    places = {at.id: at for at in p.location}
    mappings = {m.id: m for m in p.mapping}
    total, sums = 0, {}
    for sample in p.sample:
        labels = {text[a.key]: text[a.str] or a.num for a in sample.label}
        assert labels["container"] == name and labels["comm"] and labels["pid"] > 0, labels
        names = [functions[line.function_id] for at in sample.location_id for line in places[at].line]
        total += sample.value[0]
        assert sample.value[1] == sample.value[0] * p.period
        for function in set(names):
            sums[function] = sums.get(function, 0) + sample.value[0]
        if "main" in names and labels["comm"] == "burn":
            at = places[sample.location_id[[functions[places[i].line[0].function_id] if places[i].line else ""
                                            for i in sample.location_id].index("main")]]
            burn = mappings[at.mapping_id]
            assert text[burn.filename] == "/bin/burn" and text[burn.build_id] == build_id(f"{lab.rootfs}/bin/burn")
    folded = lines(ig.once("replay", path, "-o", "folded", check=0).out)
    assert total == sum(folded.values())
    for function, kernel in (("thirty", ""), ("seventy", ""), ("vfs_read", "_[k]")):
        assert sums[function] == having(folded, function + kernel), function
    if shutil.which("go"):  # its own reader, where it is at hand
        packed = tmp_path / "profile.pb.gz"
        packed.write_bytes(files["here"])
        top = subprocess.run(["go", "tool", "pprof", "-top", "-sample_index=samples", str(packed)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, check=False, timeout=120)
        assert top.returncode == 0 and "seventy" in top.stdout, top.stderr


@pytest.mark.kernels
def test_frequency_that_is_none():
    for frequency in ("0", "100000001"):
        done = ig.once("run", "profile_cpu", "--frequency", frequency)
        assert done.returncode and f"{frequency} samples a second" in done.err, done.err


def test_terminal_gets_no_packed_file():
    done = subprocess.run(["script", "-qec", f"{ig.IG} run profile_cpu --timeout 1s -o pprof", "/dev/null"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
    assert done.returncode and "not for a terminal" in done.stdout


def test_at_a_daemon(agent, lab, tmp_path):
    Profile = load_profile(tmp_path)
    name, packed = lab.name(), tmp_path / "remote.pb.gz"
    with open(packed, "wb") as out, agent.run("profile_cpu", "-o", "pprof", "-c", name, stdout=out) as binary, \
            agent.run("profile_cpu", "-o", "flamegraph", "-c", name) as drawn:
        lab.container("burn shares 1000", name=name).run()
        assert binary.stop() == 0 and drawn.stop() == 0, (binary.err, drawn.err)
        titles = [e.text for e in ET.fromstring(drawn.out.encode()).iter(SVG + "title")]
    p = Profile.FromString(gzip.decompress(packed.read_bytes()))
    samples = sum(s.value[0] for s in p.sample)
    assert samples > 70
    assert f"all ({samples} samples, 100.00%)" in titles  # one set of programs serves both
    assert any(p.string_table[m.build_id] for m in p.mapping)
