# SPDX-License-Identifier: Apache-2.0
"""Which containers and processes a run follows."""

import time

import containers
import ig
import pytest

LOOP = "while :; do cat /etc/hosts >/dev/null; sleep 0.1; done"


@pytest.fixture(scope="module")
def pair(whole_lab):
    """Two containers that do the same all the time: web and db."""
    before = len(whole_lab.containers)
    web = whole_lab.start(LOOP, name=whole_lab.name("web"), annotations={"tier": "front", "team": "one"})
    db = whole_lab.start(LOOP, name=whole_lab.name("db"), annotations={"tier": "back", "team": "one"})
    yield web, db
    whole_lab.reap(before)


def names_seen(*args, seconds=1.5, gadget="trace_exec"):
    with ig.Ig("run", gadget, "-o", "json", *args) as running:
        running.ready()
        time.sleep(seconds)
        assert running.stop() == 0, running.err
        return {ig.container_of(r) for r in running.records()}


SELECTORS = {
    "name": (lambda w, d: ["-c", w], "web"),
    "long flag": (lambda w, d: [f"--containername={w}"], "web"),
    "list": (lambda w, d: ["-c", f"{w},{d}"], "both"),
    "exclusion": (lambda w, d: ["-c", f"!{w}"], "db"),
    "glob": (lambda w, d: ["-c", w[:-1] + "?"], "web"),
    "glob but": (lambda w, d: ["-c", f"{w.split('-')[0]}-*,!{d}"], "web"),
    "id": (lambda w, d: ["--containerid", d], "db"),
    "annotation": (lambda w, d: ["--annotation", "tier=front"], "web"),
    "annotation glob": (lambda w, d: ["--annotation", "tier=ba*,team=one"], "db"),
    "both must hold": (lambda w, d: ["-c", w, "--annotation", "tier=back"], "none"),
    "image": (lambda w, d: ["--image", "no/such:image"], "none"),
    "none given": (lambda w, d: [], "both"),
}


@pytest.mark.parametrize("case", SELECTORS)
def test_selector(pair, case):
    web, db = (c.name for c in pair)
    make, wanted = SELECTORS[case]
    seen = names_seen(*make(web, db)) & {web, db}
    assert seen == {"web": {web}, "db": {db}, "both": {web, db}, "none": set()}[wanted]


def test_two_runs_with_different_selectors(pair):
    web, db = (c.name for c in pair)
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", web) as one, \
            ig.Ig("run", "trace_open", "-o", "json", "-c", db) as two:
        one.ready()
        two.ready()
        time.sleep(1)
        one.stop()
        time.sleep(0.5)
        assert two.process.poll() is None
        two.stop()
        assert {ig.container_of(r) for r in one.records()} == {web}
        assert {ig.container_of(r) for r in two.records()} == {db}


@pytest.mark.parametrize("words", (["trace_exec", "trace_open"], ["trace_exec,trace_open"]))
def test_several_gadgets_are_one_stream_in_order(pair, words):
    web = pair[0].name
    with ig.Ig("run", *words, "-o", "json", "-c", web) as running:
        running.ready()
        time.sleep(1)
        assert running.stop() == 0
        records = running.records()
        times = [r["timestamp"] for r in records]
        assert times == sorted(times)
        execs = [r for r in records if "args" in r]
        opens = [r for r in records if "fname" in r]
        assert execs and opens and len(execs) + len(opens) == len(records)
        assert running.totals("trace_exec").delivered == len(execs)
        assert running.totals("trace_open").delivered == len(opens)


def test_host(pair):
    """The host's own processes have no container; its other containers stay out where a selector says so."""
    web = pair[0].name
    with ig.Ig("run", "trace_exec", "-o", "json", "--host", "-c", web) as running:
        running.ready()
        containers.run("/bin/echo", "from-the-host")
        running.wait_record(lambda r: "from-the-host" in str(ig.get(r, "args")))
        running.wait_record(lambda r: ig.container_of(r) == web)
        running.stop()
        assert {ig.container_of(r) or None for r in running.records()} == {None, web}


def test_without_host_its_processes_are_not_seen(pair):
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        running.ready()
        containers.run("/bin/echo", "from-the-host")
        time.sleep(0.5)
        running.stop()
        assert "from-the-host" not in running.out
        assert all(ig.container_of(r) for r in running.records())


def test_pid(lab):
    c = lab.start("while :; do cat /etc/hosts >/dev/null; read x </etc/passwd; sleep 0.1; done")
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, "--pid", str(c.pid)) as running:
        running.wait_record(lambda r: r["fname"] == "/etc/passwd")
        running.stop()
        assert {ig.get(r, "proc.pid") for r in running.records()} == {c.pid}
        t = running.totals()
        assert t.seen == t.delivered, "the filter must act in the kernel"


def test_comm(pair):
    with ig.Ig("run", "trace_open", "-o", "json", "-c", pair[0].name, "--comm", "cat") as running:
        running.wait_record(lambda r: r["fname"] == "/etc/hosts")
        running.stop()
        assert {ig.get(r, "proc.comm") for r in running.records()} == {"cat"}
        assert running.totals().discarded == 0


def test_uid_and_gid(lab):
    def nobody(config):
        config["process"]["user"] = {"uid": 1234, "gid": 4321}
    c = lab.start(LOOP, edit=nobody)
    other = lab.start(LOOP)
    for flag, number, path in (("--uid", 1234, "proc.creds.uid"), ("--gid", 4321, "proc.creds.gid")):
        with ig.Ig("run", "trace_open", "-o", "json", "-c", f"{c.name},{other.name}", flag, str(number)) as running:
            running.wait_record(lambda r: r["fname"] == "/etc/hosts")
            running.stop()
            assert {(ig.container_of(r), ig.get(r, path)) for r in running.records()} == {(c.name, number)}


def test_process_filters_hold_together(pair):
    with ig.Ig("run", "trace_open", "-o", "json", "-c", pair[0].name, "--comm", "cat", "--uid", "1") as running:
        running.ready()
        time.sleep(0.5)
        running.stop()
        assert running.records() == []


def test_a_container_that_matches_later(lab):
    """The selector is applied to containers that start during the run, too."""
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", f"{lab.prefix}-later*") as running:
        running.ready()
        lab.container("/bin/true", name=lab.name("other")).run()
        later = lab.container("/bin/true", name=lab.name("later"))
        later.run()
        running.wait_record(lambda r: ig.container_of(r) == later.name)
        running.stop()
        assert {ig.container_of(r) for r in running.records()} == {later.name}


def test_the_same_name_again(lab):
    """A container that is deleted and made anew under its old name is followed again."""
    name = lab.name("again")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        for i in range(3):
            lab.container("echo", f"round-{i}", name=name).run()
        for i in range(3):
            running.wait_record(lambda r: f"round-{i}" in str(ig.get(r, "args")))
        running.stop()
