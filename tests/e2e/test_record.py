# SPDX-License-Identifier: Apache-2.0
"""What is recorded is replayed as it was shown; a file's fault is named."""

import os
import random
import re
import signal
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


# ---- parts of files, and several of them ------------------------------------------------

def test_from_and_to(recorded):
    path, out, _ = recorded
    whole = ig.records(out)
    first, last = whole[len(whole) // 3]["timestamp"], whole[len(whole) // 2]["timestamp"]
    part = [r for r in whole if first <= r["timestamp"] <= last]
    assert 0 < len(part) < len(whole)
    done = ig.once("replay", path, "-o", "json", "--from", first, "--to", last, check=0)
    assert ig.records(done.out) == part
    assert sum(int(n) for n in re.findall(r"seen (\d+)", done.err)) == len(part)
    piped = subprocess.run(f"cat {path} | {ig.IG} replay - -o json --from={first} --to={last} 2>/dev/null", shell=True,
                           stdout=subprocess.PIPE, check=True, timeout=30)
    assert piped.stdout.decode() == done.out  # a pipe has no index
    assert ig.once("replay", path, "-o", "json", "--from=-1h", check=0).out == out
    assert ig.records(ig.once("replay", path, "-o", "json", "--from=+1h", check=0).out) == []
    assert len(ig.records(ig.once("replay", path, "-o", "json", "--to=+0ns", check=0).out)) == 1


@pytest.mark.parametrize("time", ("noon", "-5 apples", "2026-13-01", "-", "+x"))
def test_no_time(recorded, time):
    done = ig.once("replay", recorded[0], f"--from={time}")
    assert done.returncode == 2 and len(done.err.splitlines()) == 1, done.err


def test_relative_times_of_a_pipe(recorded):
    done = subprocess.run(f"cat {recorded[0]} | {ig.IG} replay - --from=-1m", shell=True, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 2 and b"give a date" in done.stderr


def run_of(lab, path, gadget, *flags):
    """What it printed."""
    c = lab.container(SCRIPT)
    with ig.Ig("run", gadget, "-o", "json", "-c", c.name, "--record", path, *flags) as running:
        running.ready()
        c.run()
        assert running.stop() == 0, running.err
        return running.out


def test_appending(lab, tmp_path):
    """Runs of the same gadget and of others, one behind the other; also behind one that was killed."""
    path = str(tmp_path / "a.rec")
    runs = [run_of(lab, path, g, "--append") for g in ("trace_open", "trace_open", "trace_exec")]
    done = ig.once("replay", path, "-o", "json", check=0)
    members = [{k: v for k, v in r.items() if k != "gadget"} for r in ig.records(done.out)]
    assert members == [r for out in runs for r in ig.records(out)]
    assert {r["gadget"] for r in ig.records(done.out)} == {"trace_open", "trace_exec"}
    before = len(members)
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) - 10)
    with ig.Ig("run", "trace_exec", "-o", "none", "--comm", "nobody", "--append", "--record", path) as running:
        running.ready()
        running.stop()
        assert "cut short" in running.err
    assert len(ig.records(ig.once("replay", path, "-o", "json", check=0).out)) == before


def test_appending_to_what_is_no_record_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("important\n" * 10)
    done = ig.once("run", "trace_exec", "--record", str(path), "--append", "--timeout", "1")
    assert done.returncode == 5 and "not a record file" in done.err
    assert path.read_text() == "important\n" * 10
    assert ig.once("run", "trace_exec", "--append").returncode == 2


def test_two_programs_do_not_write_one_file(lab, tmp_path):
    path = str(tmp_path / "two.rec")
    with ig.Ig("run", "trace_exec", "-o", "none", "--record", path) as running:
        running.ready()
        done = ig.once("run", "trace_exec", "--record", path, "--append", "--timeout", "1")
        assert done.returncode == 1 and "another program is writing it" in done.err
        assert running.stop() == 0
    ig.once("replay", path, "-o", "none", check=0)


def test_rows_are_in_the_file_after_a_second(lab, tmp_path):
    path = str(tmp_path / "killed.rec")
    c = lab.container(SCRIPT)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, "--record", path) as running:
        running.ready()
        c.run()
        time.sleep(2)
        running.stop(signal.SIGKILL)
        out = running.out
    done = ig.once("replay", path, "-o", "json")
    assert done.returncode == 5 and "no end chunk" in done.err
    assert done.out == out and out


def test_several_files(lab, tmp_path):
    """Two runs at the same time, each into a file: together again they are in order."""
    paths = [str(tmp_path / f"{g}.rec") for g in ("trace_open", "trace_exec")]
    c = lab.container(SCRIPT)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, "--record", paths[0]) as opens, \
            ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, "--record", paths[1]) as execs:
        opens.ready()
        execs.ready()
        c.run()
        assert opens.stop() == 0 and execs.stop() == 0
        out = ig.records(opens.out) + ig.records(execs.out)
    merged = ig.records(ig.once("replay", *paths, "-o", "json", check=0).out)
    times = [r["timestamp"] for r in merged]
    assert times == sorted(times)
    assert len(merged) == len(out) and len({r["gadget"] for r in merged}) == 2
    assert [r["gadget"] for r in merged] != sorted((r["gadget"] for r in merged), reverse=True)
    assert sorted(times) == sorted(r["timestamp"] for r in out)
    folder = tmp_path / "set"
    folder.mkdir()
    for number, path in enumerate(paths):
        os.rename(path, folder / f"20261122T10000{number}.000000Z.rec")
    (folder / "notes.txt").write_text("no record file")
    assert ig.records(ig.once("replay", str(folder), "-o", "json", check=0).out) == merged


def test_a_folder_without_files(tmp_path):
    done = ig.once("replay", str(tmp_path))
    assert done.returncode == 2 and "no record files" in done.err
