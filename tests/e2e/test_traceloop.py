# SPDX-License-Identifier: Apache-2.0
"""traceloop: what a container did last, however it ended; and its service."""

import concurrent.futures
import contextlib
import os
import re
import subprocess
import sys
import time

import containers
import ig
import loop
import pytest
import strace
import view


@pytest.fixture(scope="module")
def agent(whole_lab):
    with loop.LoopAgent() as running:
        yield running


def ended(agent, name):
    return containers.wait_for(lambda: agent.list().get(name, {}).get("status") == "ended", what=f"end of {name}")


def run(agent, c, **kwargs):
    """Runs a container to its end, as far as the agent knows."""
    code = c.run(**kwargs)
    ended(agent, c.name)
    return code


@pytest.mark.kernels
@pytest.mark.every_runtime
def test_smoke(lab):
    """From the first instruction on, under any kernel."""
    c = lab.container("cat", "/etc/passwd")
    with ig.Ig("run", "traceloop", "-o", "json", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0
        time.sleep(0.5)
        assert running.stop() == 0, running.err
        calls = running.records()
    assert calls[0]["syscall"] == "execve" and calls[0]["ret"] == 0
    assert loop.argument(calls[0], "argv") == '["cat", "/etc/passwd"]'
    opened = next(c for c in calls if c["syscall"] == "openat" and loop.argument(c, "filename") == "/etc/passwd")
    assert opened["comm"] == "cat" and opened["ret"] >= 3 and opened["latency"] > 0
    assert loop.argument(opened, "dfd") == "AT_FDCWD" and loop.argument(opened, "flags") == "O_RDONLY"
    assert calls[-1]["syscall"] == "exit_group" and calls[-1]["ret"] is None
    assert {c["runtime"]["containerName"] for c in calls} == {c.name for c in [c]}


def test_the_same_as_strace(lab):
    """The same process, watched by both."""
    containers.require("strace")
    c = lab.container("/bin/syscalls_many", "")
    said = os.path.join(c.bundle, "strace")
    c.command = ["strace", "-f", "-s", "64", "-o", said, *c.command]
    with ig.Ig("traceloop", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0
        time.sleep(0.5)
        running.stop()
        dump = running.out
    with open(said) as f:
        text = f.read()
    pid = re.search(r'^(\d+) +write\(-1, "begin"', text, re.M).group(1)
    expected, found = strace.compare(text, dump, pid)
    assert found == expected
    assert len({line.split("(")[0] for line in found}) > 80


@pytest.mark.parametrize("way, code, last", [
    (("segv",), 139, "write"), (("exit", "3"), 3, "exit_group")])
def test_crash(lab, agent, way, code, last):
    c = lab.container("/bin/crash", *way)
    assert run(agent, c) == code
    calls = agent.calls(name=c.name)
    assert calls[-1]["syscall"] == last
    said = next(c for c in calls if c["syscall"] == "write")
    assert loop.argument(said, "buf") == way[0] and said["error"] == "EBADF"
    if last == "exit_group":
        assert loop.argument(calls[-1], "error_code") == "3"


def test_out_of_memory(lab, agent):
    def limit(config):
        config["linux"].setdefault("resources", {})["memory"] = {"limit": 32 << 20}

    c = lab.container("/bin/crash", "oom", edit=limit)
    assert run(agent, c) == 137
    calls = agent.calls(name=c.name)
    assert calls[-1]["syscall"] == "mmap" and loop.argument(calls[-1], "len") == str(1 << 20)
    assert sum(c["syscall"] == "mmap" for c in calls) > 10


def test_lives_20_ms(lab, agent):
    c = lab.container("busybox", "usleep", "20000")
    run(agent, c)
    calls = agent.calls(name=c.name)
    assert loop.argument(calls[0], "argv") == '["busybox", "usleep", "20000"]'
    assert any("sleep" in c["syscall"] for c in calls)
    assert calls[-1]["syscall"] == "exit_group"
    row = agent.list()[c.name]
    assert row["timecreation"] < row["timedeletion"] and len(row["traceid"]) == 16 and row["node"]


def test_longest_record(lab, agent):
    """Four texts, each cut."""
    c = lab.container("/bin/crash", "long")
    run(agent, c)
    call = next(c for c in agent.calls(name=c.name) if c["syscall"] == "mount")
    texts = [p for p in call["parameters"] if p["name"] != "flags"]
    assert len(texts) == 4 and call["ret"] < 0
    assert all(p["value"] == "x" * 511 and p["truncated"] for p in texts)


def test_counts_are_exact(lab, agent):
    """kept + overwritten + lost is what there was, also where most was overwritten."""
    sums = []
    for n in (1000, 101_000):
        c = lab.container("/bin/crash", "storm", str(n))
        run(agent, c)
        kept, overwritten, lost = agent.count(name=c.name)
        assert lost == 0 and (overwritten > 0) == (n > 100_000)
        sums.append(kept + overwritten)
    assert sums[1] - sums[0] == 2 * 100_000


def test_dump_while_it_storms(lab, agent):
    """Nobody is stopped; what is given is whole and in order."""
    c = lab.start("/bin/crash", "storm", "100000000")
    containers.wait_for(lambda: c.name in agent.list() and {call["syscall"] for call in agent.calls(name=c.name)} == {"getppid"},
                        30, "a ring of nothing else")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        dumps = list(pool.map(lambda _: agent.calls(name=c.name), range(24)))
    for calls in dumps:
        assert len(calls) > 1000
        assert all(c["syscall"] == "getppid" for c in calls)
        times = [c["timestamp"] for c in calls]
        assert times == sorted(times)
        assert sum(c["ret"] is None for c in calls) <= 2
    assert agent.list()[c.name]["status"] == "recording"


def curl(agent, *args):
    """(status, text)"""
    done = subprocess.run(["curl", "-s", "-w", "%{http_code}", "--unix-socket", agent.loop_socket, *args],
                          stdout=subprocess.PIPE, timeout=60, check=True)
    return int(done.stdout[-3:]), done.stdout[:-3].decode()


@pytest.mark.parametrize("query, status, word", [
    ("/", 404, "no such path"), ("/dump", 400, "id is missing"), ("/dump?id=", 400, "id is missing"),
    ("/dump?id=x", 400, "a number"), ("/dump?id=-1", 400, "a number"), ("/dump?id=99999999999999999999", 400, "a number"),
    ("/dump?id=99999999", 404, "no trace"), ("/dump?id=1%", 400, "no request"), ("/dump-by-name", 400, "name is missing"),
    ("/dump-by-name?name=nobody", 404, "no trace"), ("/dump-by-cgroup?cgroup=/no/such", 404, "no trace"),
    ("/dump-by-traceid?traceid=0123", 404, "no trace"), ("/dump-pod?podname=a", 400, "namespace is missing"),
    ("/dump-pod?namespace=a", 400, "podname is missing"), ("/dump-pod?namespace=a&podname=b&idx=z", 400, "a number"),
    ("/dump-pod?namespace=a&podname=b", 404, "no trace"), ("/close?id=99999999", 404, "no trace"),
    ("/close-by-name?name=nobody", 404, "no trace"), ("/add?name=a", 400, "cgrouppath is missing"),
    ("/add?cgrouppath=/no/such&name=a", 404, "no cgroup"), ("/add?cgrouppath=../..&name=a", 404, "no cgroup"),
    ("/add?cgrouppath=/..&name=a", 404, "no cgroup"), ("/add?cgrouppath=//etc&name=a", 404, "no cgroup"),
    ("/add?cgrouppath=/cgroup.procs&name=a", 404, "no cgroup"), ("/close", 400, "id is missing"),
    ("/close-by-name", 400, "name is missing"), ("/dump-by-cgroup", 400, "cgroup is missing"),
    ("/dump-by-traceid", 400, "traceid is missing"), ("/dump?id=0&id=", 400, "id is missing"), ("/dump/", 404, "no such path"),
    ("/list?format=xml", 400, "text or json")])
def test_bad_parameters(agent, query, status, word):
    containers.require("curl")
    got = curl(agent, f"http://localhost{query}")
    assert got[0] == status and word in got[1], got
    assert len(got[1].splitlines()) == 1


def test_curl(lab, agent):
    """By each way that there is, in text; the method does not matter."""
    containers.require("curl")
    c = lab.container("echo", "hello")
    run(agent, c)
    row = agent.list()[c.name]
    assert f"[ended] {row['id']}: {c.name} (deleted " in curl(agent, "http://localhost/list")[1]
    first = curl(agent, f"http://localhost/dump?id={row['id']}")
    assert first[0] == 200 and '"hello\\n"' in first[1]
    for query in (f"dump-by-name?name={c.name}", f"dump-by-cgroup?cgroup={row['cgroup']}",
                  f"dump-by-cgroup?cgroup={row['cgroupid']}", f"dump-by-traceid?traceid={row['traceid']}"):
        assert curl(agent, f"http://localhost/{query}") == first
    assert curl(agent, "http://localhost/dump", "-d", f"id={row['id']}") == first
    assert curl(agent, "http://localhost/close", "-d", f"id={row['id']}") == (200, "closed\n")
    assert curl(agent, f"http://localhost/close?id={row['id']}")[0] == 404
    assert c.name not in agent.list()


def test_curls_at_once(lab, agent):
    """Each gets its own answer, whole, while the containers go on."""
    containers.require("curl")
    c = lab.start("while :; do cat /etc/hosts >/dev/null; done")
    calm = lab.start("echo calm; sleep 100")
    containers.wait_for(lambda: {c.name, calm.name} <= set(agent.list()) and agent.calls(name=c.name))
    asked = {f"/dump-by-name?name={calm.name}": (200, '"calm\\n"'), f"/dump-by-name?name={c.name}&format=json": (200, '"overwritten"'),
             "/list?format=json": (200, calm.name), "/dump?id=x": (400, "a number"), "/nothing": (404, "no such path"),
             "/close?id=99999999": (404, "no trace"), "/dump-pod?namespace=a": (400, "podname is missing")}
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        answers = list(pool.map(lambda q: (q, curl(agent, f"http://localhost{q}")), list(asked) * 24))
    for query, (status, text) in answers:
        assert status == asked[query][0] and asked[query][1] in text, query
        assert text.endswith("\n")
    assert len({text for query, (_, text) in answers if calm.name in query and "dump" in query}) == 1


def test_by_command(lab, agent):
    """`ig traceloop list`, dump and close need no curl."""
    def ask(*args, check=0):
        return ig.once("traceloop", *args, "--socket", agent.loop_socket, check=check)

    c = lab.container("echo", "by command")
    run(agent, c)
    row, = ig.records(ask("list", "-o", "json", "-F", f"name=={c.name}").out)
    listed = agent.list()[c.name]
    assert row["id"] == listed["id"] and row["state"] == "ended" and row["node"] == listed["node"]
    assert row["created"] == listed["timecreation"] and row["deleted"] == listed["timedeletion"]
    assert row["container"] == c.name and row["traceid"] == listed["traceid"]
    text = ask("dump", c.name).out
    assert '"by command\\n"' in text and text == agent.good("/dump-by-name", name=c.name)
    assert ask("dump", str(row["id"])).out == text
    assert ig.records(ask("dump", c.name, "-o", "json").out) == agent.calls(name=c.name)
    assert "no trace of pod a/b&c" in ask("dump", "a/b&c", check=None).err
    assert "one ring" in ask("dump", check=2).err and "not 'show'" in ask("show", check=2).err
    assert ask("close", str(row["id"])).out == "" and c.name not in agent.list()
    assert "no trace" in ask("close", c.name, check=None).err
    away = ig.once("traceloop", "list", "--socket", "/no/such.socket")
    assert away.returncode and "ig daemon --traceloop" in away.err


@pytest.mark.kernels
def test_follow(lab):
    """Calls come as they are made, each once, and nothing but what one sees at the end as well."""
    c = lab.container("echo one; sleep 1; echo two; sleep 1.5; exit 3")
    with ig.Ig("traceloop", "-c", c.name, "-o", "json") as whole, ig.Ig("traceloop", "-f", "-c", c.name, "-o", "json") as following, \
            ig.Ig("traceloop", "-f", "-c", c.name) as text:
        for running in (whole, following, text):
            running.ready()
        c.start()
        containers.wait_for(lambda: '"one\\n"' in text.out and "sleep(" in text.out, 5, "the first calls")
        assert '"two\\n"' not in text.out
        following.wait_record(lambda r: r["syscall"] == "write" and loop.argument(r, "buf") == "two\n")
        assert c.state()["status"] == "running"
        c.wait()
        time.sleep(0.5)
        for running in (whole, following, text):
            assert running.stop() == 0, running.err

    def by_thread(calls):
        return sorted((r["tid"], r["syscall"], r["ret"] is None) for r in calls)

    assert by_thread(following.records()) == by_thread(whole.records())
    sums = [n for n in ig.notes(following.out) if n["event"] == "traceloop"]
    assert sum(n["kept"] for n in sums) == sum(("comm" in r) + (r["ret"] is not None) for r in following.records())
    slept = [line for line in text.out.splitlines() if "nanosleep(" in line]
    assert len(slept) == 4 and slept[0].endswith(" ...") and " ... " in slept[1] and "= 0 <1.0" in slept[1]
    assert text.out.splitlines()[-1].endswith("exit_group(3) = ?")
    assert ig.once("traceloop", "-f", "--each-end").returncode == 2


def test_follow_a_storm(lab):
    """What is overwritten before it can be shown is counted."""
    sums = []
    for n in (1000, 201_000):
        c = lab.container("/bin/crash", "storm", str(n))
        with ig.Ig("traceloop", "-f", "-c", c.name, "-o", "json", "--per-container", "64KiB") as running:
            running.ready()
            c.run()
            time.sleep(0.5)
            running.stop()
            notes = [note for note in ig.notes(running.out) if note["event"] == "traceloop"]
            shown = sum(("comm" in r) + (r["ret"] is not None) for r in running.records())
        assert not any(note["lost"] for note in notes)
        sums.append(sum(note["kept"] + note["overwritten"] for note in notes))
        # A call that returned after its entry was overwritten is one record; one that was shown when its entry was there, two.
        assert abs(sum(note["kept"] for note in notes) - shown) <= len(notes)
    assert sums[1] - sums[0] == 2 * 200_000


def test_pod(lab, agent, containerd):
    with containerd.run_pod(lab.name("pod"), "prod", {"app": "web"}) as pod:
        pod.run("one", "while :; do sleep 0.1; done")
        pod.run("two", "while :; do sleep 0.1; done")
        rows = containers.wait_for(
            lambda: (lambda r: len(r) == 2 and r)([r for r in agent.list().values() if r.get("podname") == pod.name]))
        assert sorted((r["name"], r["containeridx"], r["namespace"]) for r in rows) == [("one", 0, "prod"),
                                                                                      ("two", 1, "prod")]
        dump = agent.good("/dump-pod", namespace="prod", podname=pod.name, idx=1, format="json")
        calls = ig.records(dump)
        assert {c["k8s"]["containerName"] for c in calls} == {"two"}
        agent.good("/close", id=next(r["id"] for r in rows if r["name"] == "one"))
        pod.run("three", "while :; do sleep 0.1; done")  # its number is its own, although one is gone
        row = containers.wait_for(lambda: next((r for r in agent.list().values() if r["name"] == "three"), None))
        assert row["containeridx"] == 2
        shown = ig.records(ig.once("traceloop", "list", "--socket", agent.loop_socket, "-o", "json", check=0).out)
        assert [(r["namespace"], r["pod"], r["index"]) for r in shown if r["name"] == "three"] == [("prod", pod.name, 2)]
        assert "nanosleep" in ig.once("traceloop", "dump", f"prod/{pod.name}", "--socket", agent.loop_socket, check=0).out


def test_add_a_cgroup(agent):
    """What is in no container is recorded when it is asked for."""
    path = f"/ig-loop-{os.getpid()}"
    folder = containers.cgroup2_root() + path
    os.mkdir(folder)
    try:
        assert re.fullmatch(r"added as id \d+\n", agent.good("/add", cgrouppath=path, name="mine"))
        assert agent.ask("/add", cgrouppath=path, name="mine")[0] == 409
        subprocess.run(["sh", "-c", f"echo $$ >{folder}/cgroup.procs; exec cat /etc/hostname"],
                       stdout=subprocess.DEVNULL, check=True)
        calls = agent.calls(name="mine")
        assert any(c["syscall"] == "openat" and loop.argument(c, "filename") == "/etc/hostname" for c in calls)
        assert agent.list()["mine"]["status"] == "recording"
    finally:
        os.rmdir(folder)
    assert agent.list()["mine"]["status"] == "ended"
    assert agent.good("/close-by-name", name="mine") == "closed\n"
    assert "mine" not in agent.list()


# Asks for each path that it is told, when it is told.
ASKER = "import os, sys\nprint(flush=True)\nfor line in sys.stdin: os.access(line.strip(), os.F_OK); print(flush=True)"


class Asker:
    """A process in no container that makes a call when it is told to."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", ASKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.wait()

    def wait(self):
        assert self.process.stdout.readline() == "\n"

    def ask(self, *paths):
        for path in paths:
            self.process.stdin.write(path + "\n")
            self.wait()

    def move(self, folder):
        with open(f"{folder}/cgroup.procs", "w") as f:
            f.write(str(self.process.pid))

    def close(self):
        self.process.communicate(timeout=10)


@contextlib.contextmanager
def asker():
    a = Asker()
    try:
        yield a
    finally:
        a.close()


@pytest.fixture
def cgroup():
    """Path of a cgroup below the root, and its folder."""
    path = f"/ig-loop-{os.getpid()}"
    folder = containers.cgroup2_root() + path
    os.mkdir(folder)
    yield path, folder
    os.rmdir(folder)


def asked_for(agent, name):
    calls = agent.calls(name=name)
    return [loop.argument(c, "filename") for c in calls if c["syscall"] in ("access", "faccessat")]


@pytest.mark.kernels
def test_wanted_while_it_runs(agent, cgroup):
    """Of a process that was found not to be wanted, the very next call is recorded once it is."""
    path, folder = cgroup
    with asker() as a:
        a.move(folder)
        for i in range(20):
            a.ask(f"/before-{i}", f"/just-before-{i}")
            agent.good("/add", cgrouppath=path, name="mine")
            a.ask(f"/wanted-{i}")
            assert asked_for(agent, "mine") == [f"/wanted-{i}"]
            agent.good("/close-by-name", name="mine")


@pytest.mark.kernels
def test_moves_while_it_runs(agent, cgroup):
    """What is recorded is what it did in the cgroup, however often it comes and goes."""
    path, folder = cgroup
    agent.good("/add", cgrouppath=path, name="mine")
    with asker() as a:
        for i in range(20):
            a.ask("/outside", "/outside")
            a.move(folder)
            a.ask(f"/inside-{i}")
            a.move(containers.cgroup2_root())
        a.ask("/outside")
        assert asked_for(agent, "mine") == [f"/inside-{i}" for i in range(20)]
    agent.good("/close-by-name", name="mine")


def asker_with(pid):
    """An asker that gets the id of a process that is gone."""
    for _ in range(200):
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(pid - 1))
        a = Asker()
        if a.process.pid == pid:
            return a
        a.close()
    raise AssertionError(f"process id {pid} was not to be had")


def test_process_id_used_again(agent, cgroup):
    """Who has the id of one that was not wanted is recorded, and the other way round."""
    path, folder = cgroup
    agent.good("/add", cgrouppath=path, name="mine")
    with asker() as first:
        first.ask("/outside", "/outside")
    for where, name in ((folder, "/inside"), (None, "/outside"), (folder, "/inside-again")):
        with contextlib.closing(asker_with(first.process.pid)) as a:
            if where:
                a.move(where)
            a.ask(name)
    assert asked_for(agent, "mine") == ["/inside", "/inside-again"]
    agent.good("/close-by-name", name="mine")


def test_budget(lab):
    """The ring whose container ended first goes first; a new container always has one."""
    with loop.LoopAgent("--traceloop-per-container", "64KiB", "--traceloop-budget", "1300KiB") as agent:
        names = []
        for _ in range(20):
            c = lab.container("echo", "here")
            run(agent, c)
            names.append(c.name)
            assert '"here\\n"' in agent.good("/dump-by-name", name=c.name)
        left = [name for name in names if name in agent.list()]
        assert left == names[len(names) - len(left):] and 0 < len(left) <= 16


def test_keep(lab):
    with loop.LoopAgent("--traceloop-keep", "500ms") as agent:
        c = lab.container("echo", "here")
        run(agent, c)
        containers.wait_for(lambda: c.name not in agent.list())


def test_only_some_calls(lab):
    c = lab.container("cat", "/etc/passwd")
    with ig.Ig("traceloop", "-o", "json", "--syscalls", "openat,close", "-c", c.name) as running:
        running.ready()
        c.run()
        time.sleep(0.5)
        running.stop()
        assert {c["syscall"] for c in running.records()} == {"openat", "close"}
    done = ig.once("traceloop", "--syscalls", "openat,nonsense")
    assert done.returncode == 2 and "nonsense" in done.err


def test_off_unless_asked_for(lab):
    """No program of it is loaded, and every system call is as it was."""
    def loaded():
        return "loop_on_enter" in containers.run("bpftool", "prog", "list").text

    if not loaded():  # nobody else on this machine has it
        with ig.Ig("run", "trace_exec") as running:
            running.ready()
            assert not loaded()


def test_cost(lab, agent):
    """The agent says what recording takes."""
    lab.start("while :; do busybox sleep 0.01; done")
    agent.once("cost", "--once", check=0)  # statistics are on from then on
    rows = {r["what"]: r for r in ig.lines(agent.once("cost", "--once", "-o", "json", check=0).out)}
    assert rows["(traceloop)"]["runs"] > 0 and rows["(traceloop)"]["memory"] > 16 << 20


def test_cgroup_v1_alone(lab):
    """By mount namespace."""
    without = view.without_cgroup2()
    try:
        c = lab.container("echo", "hello", runtime="crun", view=without)
        with ig.Ig("traceloop", "-c", c.name) as running:
            running.ready()
            c.run()
            time.sleep(0.5)
            running.stop()
            assert '"hello\\n"' in running.out
    finally:
        without.close()


def test_cgroup_v2_alone(lab, cgroup2):
    """In a view with cgroup v2 alone, as on most machines."""
    c = lab.container("echo", "hello", view=cgroup2)
    with ig.Ig("traceloop", "-c", c.name, view=cgroup2) as running:
        running.ready()
        c.run()
        time.sleep(0.5)
        running.stop()
        assert '"hello\\n"' in running.out
