# SPDX-License-Identifier: Apache-2.0
"""ig at a daemon: what it shows is what it would have shown on the node."""

import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
import zlib
from concurrent import futures

import api_client
import containers
import ig
import pytest
from agent import Agent
from certificates import Authority
from containers import keep_saying

OUTPUTS = ("json", "jsonpretty", "yaml", "columns")
EVENTS = "for i in 1 2 3 4 5; do cat /etc/hosts; cat /no/such; done; load_connect 5"
TALK = "(sleep 0.3 | nc -l -p 7000 >/dev/null) & until echo hello | nc 127.0.0.1 7000; do sleep 0.1; done; wait"


def both(agent, *args, **kwargs):
    return ig.once(*args, **kwargs), agent.once(*args, **kwargs)


# ---- a file, replayed on either side ------------------------------------------------

@pytest.fixture(scope="module")
def recorded(agent, whole_lab, containerd):
    """In the daemon's folder: streams, tables and losses, of containers of two runtimes, one in a pod."""
    path, name = os.path.join(agent.records, "all.rec"), whole_lab.name("rec")
    pod_name = whole_lab.name("web")
    with containerd.run_pod(pod_name, "prod", {"app": "web", "odd": "ü\u2028"}) as pod:
        pod.run("main", keep_saying("remote-main"))
        with ig.Ig("run", "trace_exec,trace_open,trace_tcp,top_tcp", *containerd.flags, "-c", f"{name},main",
                   "--interval", "500ms", "--buffer-size", "4KiB", "-o", "json", "--record", path) as running:
            running.ready()
            whole_lab.container(f"{EVENTS}; {TALK}; load_open 4 50000", name=name).run()
            time.sleep(1.2)
            assert running.stop() == 0, running.err
            out = running.out
    seen = {ig.container_of(r) for r in ig.records(out)}
    assert seen == {name, "main"}
    assert {ig.get(r, "k8s.podName") for r in ig.records(out)} >= {pod_name}
    assert ig.notes(out) and any("sent" in r for r in ig.records(out)), "no loss, or no table"
    return path, out


@pytest.mark.parametrize("more", ((), ("-c", "main"), ("-n", "prod"), ("--filter", "proc.comm==cat"), ("--max-entries", "20"),
                                  ("--fields", "+runtime.containerId,+k8s.podLabels"), ("-l", "app=web", "--sort", "-sent"),
                                  ("--from=-500ms", "-c", "main"), ("--to=+400ms",)))
@pytest.mark.parametrize("output", OUTPUTS)
def test_replay_is_the_same_bytes(agent, recorded, output, more):
    path, out = recorded
    here, there = both(agent, "replay", os.path.basename(path), "-o", output, *more, cwd=agent.records)
    assert here.returncode == there.returncode == 0, there.err
    assert here.stdout == there.stdout and here.err == there.err
    assert here.stdout
    if output == "json" and not more:
        assert there.out == out


def test_replay_of_several_runs(agent, lab):
    """Each has a clock of its own."""
    path = os.path.join(agent.records, "runs.rec")
    for gadget in ("trace_exec", "trace_open", "trace_exec"):
        c = lab.container(EVENTS)
        with ig.Ig("run", gadget, "-o", "json", "-c", c.name, "--record", path, "--append") as running:
            running.ready()
            c.run()
            assert running.stop() == 0, running.err
    here, there = both(agent, "replay", "runs.rec", "-o", "json", cwd=agent.records)
    assert here.stdout and here.stdout == there.stdout and here.err == there.err
    with open(path, "r+b") as f:  # the second run's clock: three years later
        data = f.read()
        at = data.index(struct.pack("<II", 8, 16)) + 8 + 16 + 4  # behind the first run's end
        length, clock = struct.unpack_from("<Iq", data, at + 4)
        changed = bytearray(data[at:at + 8 + length])
        struct.pack_into("<q", changed, 8, clock + 3 * 365 * 86400 * 10**9)
        f.seek(at)
        f.write(changed + struct.pack("<I", zlib.crc32(changed)))
    here, there = both(agent, "replay", "runs.rec", "-o", "json", cwd=agent.records)
    years = [r["timestamp"][:4] for r in ig.records(there.out)]
    assert years != sorted(years) and here.stdout == there.stdout


@pytest.mark.parametrize("part", (0.0, 0.02, 0.3, 0.7, 0.99))
def test_replay_of_a_file_that_was_cut_short(agent, recorded, part):
    path, _ = recorded
    with open(path, "rb") as f:
        data = f.read()
    with open(os.path.join(agent.records, "cut.rec"), "wb") as f:
        f.write(data[:int(len(data) * part)])
    here, there = both(agent, "replay", "cut.rec", "-o", "json", cwd=agent.records)
    assert here.returncode == there.returncode == 5
    assert here.stdout == there.stdout
    assert here.err.splitlines()[-1] == there.err.splitlines()[-1]


def test_replay_stays_in_its_folder(agent, recorded, tmp_path):
    (tmp_path / "out.rec").write_bytes(b"")
    os.symlink(tmp_path / "out.rec", os.path.join(agent.records, "link.rec"))
    os.symlink("all.rec", os.path.join(agent.records, "inside.rec"))
    os.mkfifo(os.path.join(agent.records, "pipe.rec"))
    for name, code in (("../state", 3), ("/etc/passwd", 3), ("link.rec", 3), (".", 2), ("pipe.rec", 2), ("no.rec", 2)):
        done = agent.once("replay", name)
        assert done.returncode == code and len(done.err.splitlines()) == 1, (name, done.err)
    agent.once("replay", "inside.rec", "-o", "none", check=0)


# ---- live ---------------------------------------------------------------------------

def without_time(records):
    """What two tracers say alike of the same events."""
    return [json.dumps({k: v for k, v in r.items() if k != "timestamp"}) for r in records]


def test_two_runs_see_the_same(agent, lab):
    """One here, one at the daemon, at the same time."""
    c = lab.container(EVENTS)
    args = ("-o", "json", "-c", c.name)
    with ig.Ig("run", "trace_open", *args) as here, agent.run("trace_open", *args) as there:
        here.ready()
        c.run()
        time.sleep(0.5)
        assert here.stop() == 0 and there.stop() == 0
        a, b = here.out, there.out
        assert here.totals() == there.totals()
    assert a and without_time(ig.records(a)) == without_time(ig.records(b))
    assert json.loads(a.splitlines()[0]).keys() == json.loads(b.splitlines()[0]).keys()


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_recording_of_the_client_shows_what_was_shown(agent, lab, tmp_path, output):
    """Streams are in order of time (--window), a top table among them; Ctrl-C gives the last rows of all."""
    path, c = str(tmp_path / "client.rec"), lab.container(f"{EVENTS}; {TALK}")
    with agent.run("trace_exec,trace_open,trace_tcp,top_tcp", "-o", output, "-c", c.name, "--interval", "200ms",
                   "--record", path) as running:
        c.run()
        assert running.stop() == 0, running.err
        out, totals = running.out, {g: running.totals(g) for g in ("trace_exec", "trace_open", "trace_tcp", "top_tcp")}
    assert all(n.seen and n.seen == n.delivered for n in totals.values()), totals
    done = ig.once("replay", path, "-o", output, check=0)
    assert done.out == out
    if output == "json":
        times = [r["timestamp"] for r in ig.records(out) if "timestamp" in r]
        assert times == sorted(times) and len(times) > 30


def test_interval_sort_and_max_entries_of_a_top_gadget(agent, lab):
    a, b = (lab.start(f"while :; do {TALK}; done") for _ in range(2))
    with agent.run("top_tcp", "-o", "json", "-c", f"{a.name},{b.name}", "--interval", "500ms", "--max-entries", "1",
                   "--sort", "-sent", "-t", "3") as running:
        running.wait()
        shown, n = running.records(), running.totals("top_tcp")
        lines = re.findall(r"^  (\S+): seen (\d+) = delivered (\d+) \+ discarded (\d+) \+ lost (\d+)$", running.err, re.M)
    assert 3 <= len(shown) <= 7
    assert n.delivered == len(shown) and n.discarded > 0 and n.lost == 0
    assert n.seen == n.delivered + n.discarded
    assert {name for name, *_ in lines} <= {a.name, b.name}
    assert sum(int(discarded) for _, _, _, discarded, _ in lines) <= n.discarded


def test_what_a_filter_discards_is_counted_by_container(agent, lab):
    cs = [lab.container(EVENTS) for _ in range(2)]
    with agent.run("trace_open", "-o", "json", "-c", ",".join(c.name for c in cs), "--filter", "error==ENOENT") as running:
        for c in cs:
            c.run()
        time.sleep(0.5)
        assert running.stop() == 0
        shown, n, err = running.records(), running.totals("trace_open"), running.err
    assert shown and all(r["error"] == "ENOENT" for r in shown)
    assert n.delivered == len(shown) and n.discarded > 0 and n.seen == n.delivered + n.discarded
    for c in cs:
        of_it = re.search(rf"^  {c.name}: seen (\d+) = delivered (\d+) \+ discarded (\d+) \+ lost 0$", err, re.M)
        seen, delivered, discarded = map(int, of_it.groups())
        assert delivered == sum(ig.container_of(r) == c.name for r in shown)
        assert seen == delivered + discarded and discarded > 0


def test_max_entries_of_a_stream_ends_it(agent, lab):
    c = lab.start(keep_saying("end"))
    done = agent.once("run", "trace_exec", "-o", "json", "-c", c.name, "--max-entries", "3", check=0)
    assert len(ig.records(done.out)) == 3


def test_loss_is_told_by_container(agent, lab):
    c = lab.container("load_open", "4", "100000")
    with agent.run("trace_open", "-o", "json", "-c", c.name, "--comm", "load_open", "--buffer-size", "4KiB") as running:
        c.run()
        assert running.stop() == 0
        n, out = running.totals("trace_open"), running.out
    notes = ig.notes(out)
    assert n.lost > 0 and sum(note["count"] for note in notes) == n.lost
    assert {note["container"] for note in notes} == {c.name}
    assert n.seen == 100000 and n.delivered == len(ig.records(out))


def test_a_reader_that_is_slow_costs_itself_records(agent, lab):
    """Its own: they are counted, and the other one gets all."""
    c = lab.container("i=0; while [ $((i += 1)) -le 20 ]; do load_open 1 5000; sleep 0.1; done")
    args = ("-o", "json", "-c", c.name, "--comm", "load_open", "--buffer-size", "64MiB")
    reader, writer = os.pipe()
    with agent.run("trace_open", *args, stdout=writer) as slow, agent.run("trace_open", *args) as quick:
        os.close(writer)
        c.run()
        time.sleep(1)
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reader, 1 << 16), b"")])
        slow.process.send_signal(signal.SIGINT)
        drain.start()
        assert slow.wait() == 0 and quick.stop() == 0
        drain.join()
        a, b = slow.totals("trace_open"), quick.totals("trace_open")
    os.close(reader)
    assert a.seen == b.seen == 100000
    assert a.lost > 0 and a.seen == a.delivered + a.lost
    assert b.lost == 0


# ---- mistakes -----------------------------------------------------------------------

@pytest.mark.parametrize("args", (["trace_exce"], ["trace_exec", "--ignore-faild"], ["trace_exec", "--fields", "proc.con"],
                                  ["trace_exec", "--filter", "proc.com==x"], ["trace_exec", "--filter", "proc.pid==abc"],
                                  ["top_tcp", "--sort", "proc.pidd"], ["trace_exec", "-o", "jsn"],
                                  ["trace_exec", "-l", "app in (a,b)"], ["trace_exec", "--ignore-failed", "--host", "--pid", "0"],
                                  ["trace_exec", "-c", "["], ["trace_exec", "trace_exec", "--no-such"], []))
def test_a_mistake_is_told_in_the_same_words(agent, args):
    here, there = both(agent, "run", *args, "-t", "1")
    assert here.returncode == there.returncode and here.returncode in (0, 2)
    assert here.err == there.err or here.returncode == 0


def test_a_bad_value_of_a_gadgets_flag(agent, whole_lab):
    """The daemon judges it."""
    params = re.findall(r"--([a-z-]+) N", ig.once("run", "trace_open,trace_exec,trace_tcp,top_tcp", "--help").out)
    name = next(p for p in params if p not in ("max-entries", "history"))
    here, there = both(agent, "run", "trace_open,trace_exec,trace_tcp,top_tcp", f"--{name}", "many")
    assert here.returncode == there.returncode == 2
    assert "many" in there.err and here.err == there.err


def test_no_daemon(tmp_path):
    for command in (["ps"], ["run", "trace_exec"], ["stop", "x"], ["cost"], ["list-containers"], ["replay", "x"], ["version"]):
        done = ig.once("--remote", f"unix://{tmp_path}/no.socket", *command)
        assert done.returncode == 1
        assert f"no daemon at unix://{tmp_path}/no.socket; start one with `ig daemon`" in done.err


def test_commands_of_this_machine_alone(agent):
    for command in ("build", "docs", "man", "completion", "daemon", "hook"):
        done = agent.once(command)
        assert done.returncode == 2 and f"`ig {command}` is about this machine alone" in done.err


@pytest.mark.parametrize("sig, code", ((signal.SIGKILL, 1), (signal.SIGTERM, 0)))
def test_the_daemon_ends_meanwhile(lab, sig, code):
    c = lab.start(keep_saying("meanwhile"))
    with Agent() as agent, agent.run("trace_exec", "-o", "json", "-c", c.name) as running:
        running.wait_record(lambda r: True)
        agent.stop(sig)
        assert running.wait() == code, running.err
        assert running.totals().delivered == len(running.records())
        errors = [line for line in running.err.splitlines() if "level=error" in line]
    assert len(errors) == (code != 0), errors


# ---- instances ----------------------------------------------------------------------

def test_an_instance_runs_without_a_reader(agent, lab):
    c = lab.start(keep_saying("instance"))
    ident = agent.once("run", "trace_exec", "--detach", "--name", "mine", "--history", "5", "-c", c.name, check=0).out.strip()
    row = next(r for r in ig.lines(agent.once("ps", "-o", "json", check=0).out) if r["id"] == ident)
    assert (row["name"], row["gadget"], row["state"], row["history"]) == ("mine", "trace_exec", "running", 5)
    assert row["params"] == {"operator.ig.containername": c.name}
    table = agent.once("ps", check=0).out
    assert ident[:12] in table and ident not in table

    containers.wait_for(lambda: ig.lines(agent.once("ps", "-o", "json", "--filter", "kept==5").out), 10, "records that are kept")
    with agent.ig("attach", "mine", "-o", "json", "--last", "2") as one, agent.ig("attach", ident[:8], "-o", "json") as two:
        containers.wait_for(lambda: len(one.records()) > 4 and len(two.records()) > 7, 20, "records of an instance")
        assert one.stop() == 0 and two.stop() == 0, one.err + two.err
    assert agent.once("ps", "-o", "json", "--filter", "name==mine", check=0).out, "it went with its readers"
    limited = agent.once("attach", "mine", "-o", "json", "--max-entries", "3", check=0)
    assert len(ig.records(limited.out)) == 3
    none = agent.once("attach", "mine", "-o", "json", "--last", "0", "-t", "100ms", check=0)
    assert len(ig.records(none.out)) < 5

    with agent.ig("attach", "mine", "-o", "json") as reader:
        reader.wait_record(lambda r: True)
        agent.once("stop", "mine", check=0)
        assert reader.wait() == 0, reader.err
    assert "mine" not in agent.once("ps").out
    for args in (["attach", "mine"], ["stop", "mine"]):
        gone = agent.once(*args)
        assert gone.returncode == 2 and "no instance 'mine'" in gone.err


def test_loss_of_an_instance_is_told_to_its_reader(agent, lab):
    c = lab.container("load_open", "4", "100000")
    agent.once("run", "trace_open", "-d", "--name", "lossy", "-c", c.name, "--comm", "load_open", "--buffer-size", "4KiB", check=0)
    with agent.ig("attach", "lossy", "-o", "json") as reader:
        containers.wait_for(lambda: ig.lines(agent.once("ps", "-o", "json", "--filter", "readers==1").out), 10, "a reader")
        c.run()
        time.sleep(1)
        assert reader.stop() == 0, reader.err
        notes, n = ig.notes(reader.out), reader.totals("trace_open")
    agent.once("stop", "lossy", check=0)
    assert n.seen == 100000 and n.delivered == len(ig.records(reader.out))
    assert sum(note["count"] for note in notes) == n.lost > 0
    assert c.name in {note["container"] for note in notes}


def test_an_instance_shows_nothing(agent):
    """So what says how is refused, and not forgotten."""
    for flags in (["--filter", "proc.pid==1"], ["-o", "json"], ["--max-entries", "1"], ["--record", "x"],
                  ["--totals"], ["--value", "proc.pid"], ["--no-headers"]):
        done = agent.once("run", "trace_exec", "--detach", *flags)
        assert done.returncode == 2 and "ig attach" in done.err
    done = agent.once("run", "advise_seccomp", "--detach", "--merge", "all")
    assert done.returncode == 2 and "ig attach" in done.err
    for flags, words in ((["-d", "--history", "0"], "1 to 2147483647"), (["-d", "--history", "2147483648"], "1 to 2147483647"),
                         (["--history", "0"], "go with --detach")):
        done = agent.once("run", "trace_exec", *flags)
        assert done.returncode == 2 and words in done.err, done.err
    assert ig.lines(agent.once("ps", "-o", "json", check=0).out) == []


def test_stop_stops_all_that_it_can(agent):
    agent.once("run", "trace_exec", "-d", "--name", "a1", check=0)
    agent.once("run", "trace_open", "-d", "--name", "a2", check=0)
    done = agent.once("stop", "a1", "no", "a2")
    assert done.returncode == 2 and "no instance 'no'" in done.err
    assert ig.lines(agent.once("ps", "-o", "json", check=0).out) == []


# ---- the other commands --------------------------------------------------------------

def test_list_containers(agent, lab):
    c, other = lab.start("sleep", "60"), lab.start("sleep", "60")
    here, there = both(agent, "list-containers", "-o", "json", "-c", c.name, "--fields", "runtime,k8s")
    assert here.out and here.stdout == there.stdout
    assert [ig.container_of(r) for r in ig.lines(there.out)] == [c.name]
    for output in OUTPUTS:
        here, there = both(agent, "list-containers", "-o", output, "-c", f"{c.name},{other.name}", "--sort", "containerName")
        assert here.stdout == there.stdout and here.err == there.err
    misspelt = both(agent, "list-containers", "--fields", "runtime.containerNam")
    assert misspelt[0].err == misspelt[1].err and misspelt[0].returncode == misspelt[1].returncode == 2


def test_watch_containers(agent, lab):
    c = lab.container("sleep 0.5")
    with agent.ig("list-containers", "--watch", "-o", "json") as watching:
        time.sleep(0.5)
        c.run()
        watching.wait_record(lambda r: ig.container_of(r) == c.name and r["event"] == "CREATED")
        watching.wait_record(lambda r: ig.container_of(r) == c.name and r["event"] == "DELETED")
        assert watching.stop() == 0


def test_list_and_version(agent):
    here, there = both(agent, "list", "-o", "json")
    assert here.out and here.stdout == there.stdout
    lines = agent.once("version", check=0).out.splitlines()
    assert len(lines) == 2 and lines[1] == lines[0].replace("ig ", "daemon v")


def test_health(agent, tmp_path):
    """For probes: nothing to say, or why not."""
    done = agent.once("health", check=0)
    assert not done.out and not done.err
    done = ig.once("--remote", f"unix://{tmp_path}/no.socket", "health")
    assert done.returncode == 1 and "no daemon at" in done.err


def test_cost(agent, lab):
    c = lab.start("while :; do load_open 1 1000; done")
    with agent.run("trace_open", "-o", "none", "-c", c.name), agent.run("trace_open", "-o", "none", "-c", c.name):
        rows = {r["what"]: r for r in ig.lines(agent.once("cost", "--once", "-o", "json", check=0).out)}
        table = agent.once("cost", "--once", check=0).out
    gadget = rows["trace_open"]
    assert gadget["tracers"] == 2 and gadget["memory"] > 0
    assert gadget["cpu"] > 0 and gadget["runs"] > 100 and gadget["records"] > 100 and 10 < gadget["nsPerRun"] < 1e6
    assert rows["(daemon)"]["cpu"] > 0 and rows["(daemon)"]["memory"] > 1 << 20
    assert rows["(detector)"]["runs"] > 0
    assert [line.split()[0] for line in table.splitlines()] == ["WHAT", "trace_open", "(detector)", "(daemon)"]


def test_cost_goes_on(agent):
    with agent.ig("cost", "-o", "json", "--interval", "100ms") as costs:
        containers.wait_for(lambda: len(costs.records()) >= 6, 10, "three tables")
        assert costs.stop() == 0, costs.err


def test_tracer(agent, lab):
    c = lab.start(keep_saying("traced"), annotations={})
    assert agent.once("tracer", "add", "mine", "-c", c.name, check=0).out == "mine\n"
    assert agent.once("tracer", "add", "mine").returncode == 2
    rows = ig.lines(agent.once("tracer", "list", "-o", "json", check=0).out)
    assert rows == [{"id": "mine", "readers": 0, "lines": 0, "containers": c.name}]
    with agent.ig("tracer", "follow", "mine") as following, agent.run("trace_exec", "-o", "json", "--tracer", "mine") as running:
        record = running.wait_record(lambda r: ig.container_of(r) == c.name)
        line = following.wait_record(lambda r: r["timestamp"] == record["timestamp"])
        assert line == {"gadget": "trace_exec", **record}
        assert running.stop() == 0
        agent.once("tracer", "remove", "mine", check=0)
        assert following.wait() == 0, following.err
    assert agent.once("tracer", "list", "-o", "json", check=0).out == ""
    assert agent.once("tracer", "remove", "mine").returncode == 2
    assert agent.once("tracer", "wash", "mine").returncode == 2


def test_dump_state(agent, lab):
    c = lab.start("sleep", "60")
    state = agent.dump()
    assert c.name in json.dumps(state["containers"])
    assert {"version", "tracers", "instances", "runs", "containers"} <= state.keys()


def test_environment_names_the_daemon(agent):
    env = {"IG_REMOTE": agent.address}
    assert "daemon v" in ig.once("version", env=env, check=0).out
    assert ig.once("ps", env=env, check=0).returncode == 0
    ig.once("docs", "trace_exec", env=env, check=0)  # of this machine: it is not the variable's affair


def test_the_example_of_the_documentation(agent, lab, tmp_path):
    """docs/api.md's, as it stands there."""
    protoc = containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
    with open(os.path.join(containers.TOP, "docs/api.md"), encoding="utf-8") as f:
        (tmp_path / "example.py").write_text(re.search(r"^```python\n(.*?)^```", f.read(), re.M | re.S).group(1))
    assert not protoc.main(["protoc", f"-I{containers.TOP}/src/wire", f"--python_out={tmp_path}", "api.proto"])
    c = lab.start(keep_saying("example"))
    out = containers.run(sys.executable, str(tmp_path / "example.py"), agent.address, c.name).text
    rows = [line.split() for line in out.splitlines()]
    assert rows and all(name == c.name and int(pid) for name, _, pid in rows)


def test_over_tls(whole_lab, lab, tmp_path):
    """Flags stand before the command or behind it; who has no certificate is told so."""
    authority = Authority(tmp_path)
    (server, server_key), (client, client_key) = authority.sign("server"), authority.sign("client")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{s.getsockname()[1]}"
    c = lab.start(keep_saying("tls"))
    with Agent("--host", address, "--tls-ca", authority.ca, "--tls-cert", server, "--tls-key", server_key):
        flags = ("--remote", address, "--remote-ca", authority.ca, "--remote-cert", client, "--remote-key", client_key)
        run = ("run", "trace_exec", "-o", "json", "-c", c.name, "--max-entries", "3")
        for args in ((*flags, *run), (*run, *flags)):
            assert len(ig.records(ig.once(*args, check=0).out)) == 3
        assert ig.once(*flags, "ps", check=0).out
        for few in (flags[:2], flags[:4]):
            done = ig.once(*few, "ps")
            assert done.returncode == 1 and len(done.err.splitlines()) == 1, done.err


# ---- servers of other projects -----------------------------------------------------

class Foreign:
    """A gadget server that knows nothing of ours. rows: (seq, pid) of what it sends."""

    def __init__(self, folder, rows):
        import grpc
        self.address = f"unix://{folder}/foreign.socket"
        p, services = api_client.load_stubs(os.path.join(folder, "stubs"))
        info = p.GadgetInfo(name="watch", imageName="registry.test/watch:latest", dataSources=[p.DataSource(
            id=3, name="things", type=1, fields=[
                p.Field(name="pid", fullName="pid", index=0, payloadIndex=0, offs=0, size=4, flags=api_client.STATIC, kind=p.Uint32),
                p.Field(name="comm", fullName="comm", index=1, payloadIndex=1, kind=p.String)])])
        self.requests = requests = []

        class Servicer(services.GadgetManagerServicer):
            def GetGadgetInfo(self, request, context):
                return p.GetGadgetInfoResponse(gadgetInfo=info)

            def RunGadget(self, stream, context):
                requests.append(next(stream).runRequest)
                yield p.GadgetEvent(type=4, payload=info.SerializeToString())
                for seq, pid in rows:
                    data = p.GadgetData(seq=seq, data=p.DataElement(payload=[pid.to_bytes(4, "little"), b"cat"]))
                    yield p.GadgetEvent(type=0, seq=seq, dataSourceID=3, payload=data.SerializeToString())
                yield p.GadgetEvent(type=3 << 16, payload="odd \x1b[31m things".encode())
                yield p.GadgetEvent(type=77, payload=b"\xff")

        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        services.add_GadgetManagerServicer_to_server(Servicer(), self.server)
        self.server.add_insecure_port(self.address)
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()


def test_a_server_of_another_project(tmp_path):
    """Gaps in its numbers are losses; what it says steers no terminal."""
    with Foreign(str(tmp_path), [(1, 10), (2, 20), (5, 50), (6, 60)]) as server:
        done = ig.once("--remote", server.address, "run", "registry.test/watch:latest", "-o", "json", check=0)
        assert [r["pid"] for r in ig.records(done.out)] == [10, 20, 50, 60]
        assert [(n["event"], n["count"]) for n in ig.notes(done.out)] == [("lost", 2)]
        assert ig.totals(done.err) == (6, 4, 0, 2)
        assert "\x1b" not in done.err and "things" in done.err
        assert server.requests[0].imageName == "registry.test/watch:latest"
        for command in (["cost"], ["dump-state"], ["list-containers"], ["replay", "x.rec"], ["list"], ["ps"]):
            done = ig.once("--remote", server.address, *command)
            assert done.returncode == 4 and len(done.err.splitlines()) == 1, (command, done.err)
