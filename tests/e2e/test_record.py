# SPDX-License-Identifier: Apache-2.0
"""What is recorded is replayed as it was shown; a file's fault is named."""

import os
import random
import subprocess
import time

import ig
import pytest

SCRIPT = "for i in 1 2 3 4 5; do cat /etc/hosts; cat /no/such; done; load_connect 5"


@pytest.fixture(scope="module")
def recorded(whole_lab):
    """(path, what the run printed, its stderr)."""
    path = os.path.join(whole_lab.dir, "record.rec")
    name = whole_lab.name("rec")
    with ig.Ig("run", "trace_exec,trace_open,trace_tcp", "-o", "json", "-c", name, "--record", path) as running:
        running.ready()
        whole_lab.container(SCRIPT, name=name).run()
        time.sleep(0.3)
        assert running.stop() == 0, running.err
        return path, running.out, running.err


def test_replay_is_what_was_shown(recorded):
    path, out, err = recorded
    assert out
    done = ig.once("replay", path, "-o", "json", check=0)
    assert done.out == out
    assert ig.totals(done.err) == ig.totals(err)


def test_names_of_functions_are_in_the_file(lab):
    """Their process is gone when it is replayed."""
    path, name = os.path.join(lab.dir, "stacks.rec"), lab.name()
    with ig.Ig("run", "trace_open", "--ustack", "-o", "none", "-c", name, "--record", path) as running:
        running.ready()
        lab.container("open_deep /etc/passwd 500", name=name).run()
        assert running.stop() == 0, running.err
    found = ig.records(ig.once("replay", path, "-o", "json", "-F", "ustack~calls_what_opens", check=0).out)
    assert [r["fname"] for r in found] == ["/etc/passwd"]
    assert any(f.startswith("main+0x") for f in found[0]["ustack"])


def test_replay_from_a_pipe(recorded):
    path, out, _ = recorded
    done = subprocess.run(f"cat {path} | {ig.IG} replay - -o json 2>/dev/null", shell=True, stdout=subprocess.PIPE,
                          check=True, timeout=30)
    assert done.stdout.decode() == out


def test_without_root(recorded):
    """On another machine: neither root nor BPF, nor /proc's container."""
    path, out, _ = recorded

    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    folder = os.path.dirname(path)
    os.chmod(folder, 0o755)
    os.chmod(path, 0o644)
    # ig itself may lie where nobody cannot go: it is opened before.
    program = os.open(ig.IG, os.O_RDONLY)
    done = subprocess.run([f"/proc/self/fd/{program}", "replay", path, "-o", "json"], pass_fds=[program],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=drop, timeout=30)
    os.close(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == out


def test_the_file_is_private(recorded, lab, tmp_path):
    path = tmp_path / "x.rec"
    ig.once("run", "trace_exec", "-o", "none", "--timeout", "1", "--record", str(path), check=0)
    assert os.stat(path).st_mode & 0o077 == 0


def test_selectors_of_replay(recorded):
    path, out, _ = recorded
    name = ig.container_of(ig.records(out)[0])
    assert ig.once("replay", path, "-o", "json", "-c", name, check=0).out == out
    assert ig.records(ig.once("replay", path, "-o", "json", "-c", "!" + name, check=0).out) == []


def test_record_of_a_filtered_run_holds_what_was_shown(lab, tmp_path):
    path = str(tmp_path / "f.rec")
    c = lab.container(SCRIPT)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, "--filter", "error==ENOENT", "--record", path) as running:
        running.ready()
        c.run()
        running.stop()
        out = running.out
    assert out and ig.once("replay", path, "-o", "json", check=0).out == out


def test_loss_is_recorded(lab, tmp_path):
    path = str(tmp_path / "l.rec")
    c = lab.container("load_open", "4", "100000")
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, "--comm", "load_open", "--buffer-size", "4KiB",
               "--record", path) as running:
        running.ready()
        c.run()
        running.stop()
        lost, out = running.totals().lost, running.out
    assert lost > 0
    done = ig.once("replay", path, "-o", "json", check=0)
    assert sum(n["count"] for n in ig.notes(done.out)) == lost
    assert ig.records(done.out) == ig.records(out)


@pytest.mark.parametrize("part", (0.02, 0.3, 0.7, 0.99))
def test_cut_short(recorded, tmp_path, part):
    """Read up to the fault, which is named in one line."""
    path, out, _ = recorded
    data = open(path, "rb").read()
    cut = tmp_path / "cut.rec"
    cut.write_bytes(data[:int(len(data) * part)])
    done = ig.once("replay", str(cut), "-o", "json")
    assert done.returncode == 5, done.err
    assert str(cut) in done.err
    whole = ig.records(out)
    got = ig.records(done.out)
    assert got == whole[:len(got)]
    if part > 0.9:  # all but the last chunk, which has what was read at once
        assert got


def test_corrupted(recorded, tmp_path):
    """Any byte may be wrong: no crash, no hang, a known exit code."""
    path, _, _ = recorded
    data = open(path, "rb").read()
    dice = random.Random(7)
    bad = tmp_path / "bad.rec"
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 1, 4, 30))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        bad.write_bytes(damaged)
        done = ig.once("replay", str(bad), "-o", "json", timeout=20)
        assert done.returncode in (0, 5), (done.returncode, done.err)
        assert len([line for line in done.err.splitlines() if "level=error" in line]) == (done.returncode == 5)


@pytest.mark.parametrize("data", (b"", b"\0" * 100, b"{}", b"\x7fELF" + b"\xff" * 200, os.urandom(4096)))
def test_not_a_record_file(tmp_path, data):
    path = tmp_path / "no.rec"
    path.write_bytes(data)
    done = ig.once("replay", str(path))
    assert done.returncode == 5
    assert len(done.err.splitlines()) == 1 and str(path) in done.err


def test_no_such_file():
    done = ig.once("replay", "/no/such/file.rec")
    assert done.returncode == 2
    assert "/no/such/file.rec" in done.err


def test_a_top_gadget_is_recorded_by_its_tables(lab, tmp_path):
    path = str(tmp_path / "t.rec")
    c = lab.start("while :; do load_connect 5; sleep 0.2; done")
    with ig.Ig("run", "top_tcp", "-o", "json", "-c", c.name, "--interval", "1", "--timeout", "3",
               "--record", path) as running:
        running.wait()
        out = running.out
    done = ig.once("replay", path, "-o", "json", check=0)
    assert done.out == out
