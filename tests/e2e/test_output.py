# SPDX-License-Identifier: Apache-2.0
"""What is printed: every mode read by a real parser, chosen, filtered and sorted fields, hostile names."""

import datetime
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
import unicodedata

import ig
import pytest
import yaml

# Opens, one of them failing, and files whose names are made to hurt a terminal or a parser.
SCRIPT = r"""
cat /etc/hosts
cat /no/such/file
printf x >"$(printf '/tmp/esc-\033[31mred\033]0;title\007')"
printf x >"$(printf '/tmp/bytes-\377\376-\303\251-"quote"-\\back')"
printf x >"$(printf '/tmp/line\nbreak\ttab')"
printf x >"$(printf '/tmp/bidi-\342\200\256-wide-\345\255\227\345\255\227')"
printf x >'/tmp/yaml: {no, [yes]} #'
printf x >'/tmp/- leading'
sh -c 'exit 0' "$(printf 'arg\033[2J')" '' 'two words'
"""


def record(lab, gadgets, path):
    name = lab.name("out")
    with ig.Ig("run", gadgets, "-o", "none", "-c", name, "--record", path) as running:
        running.ready()
        lab.container(SCRIPT, name=name).run()
        time.sleep(0.3)
        assert running.stop() == 0, running.err
    return path


@pytest.fixture(scope="module")
def file(whole_lab):
    """A record file of the script's opens. Output is tested on it: the same each time."""
    return record(whole_lab, "trace_open", os.path.join(whole_lab.dir, "output.rec"))


@pytest.fixture(scope="module")
def mixed(whole_lab):
    """Its execs and opens, as one stream."""
    return record(whole_lab, "trace_exec,trace_open", os.path.join(whole_lab.dir, "mixed.rec"))


def replay(file, *args, check=0, **kwargs):
    return ig.once("replay", file, *args, check=check, **kwargs)


def opens(file, *args):
    return ig.records(replay(file, "-o", "json", *args).out)


def test_json(file):
    out = replay(file, "-o", "json").out
    assert "\033" not in out and "\0" not in out
    out.encode("utf-8", errors="strict")
    records = ig.lines(out)
    assert len(records) >= 8
    for r in records:
        assert isinstance(ig.get(r, "proc.pid"), int)
        assert isinstance(ig.get(r, "proc.comm"), str)
        assert isinstance(ig.get(r, "proc.parent.pid"), int)
        assert isinstance(ig.get(r, "runtime.containerName"), str)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)", r["timestamp"]), r["timestamp"]


def test_json_time_is_now(file):
    last = ig.lines(replay(file, "-o", "json").out)[-1]["timestamp"]
    when = datetime.datetime.strptime(last[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    assert abs(when.timestamp() - os.stat(file).st_mtime) < 5


def test_json_with_jq(file):
    out = replay(file, "-o", "json").out
    assert shutil.which("jq"), "jq is not installed"
    done = subprocess.run(["jq", "-r", "select(.fname == \"/no/such/file\") | .error, .fd"], input=out.encode(),
                          stdout=subprocess.PIPE, check=True)
    assert b"ENOENT" in done.stdout


def test_hostile_names_in_json(file):
    names = {r["fname"] for r in opens(file)}
    assert "/tmp/esc-\x1b[31mred\x1b]0;title\x07" in names
    assert "/tmp/bytes-\ufffd\ufffd-é-\"quote\"-\\back" in names
    assert "/tmp/line\nbreak\ttab" in names
    assert "/tmp/yaml: {no, [yes]} #" in names


def test_hostile_arguments_in_json(mixed):
    execs = [r for r in ig.records(replay(mixed, "-o", "json").out) if "args" in r]
    assert any(r["args"][-3:] == ["arg\x1b[2J", "", "two words"] for r in execs), execs


def test_jsonpretty(file):
    compact = ig.lines(replay(file, "-o", "json").out)
    text, at, pretty = replay(file, "-o", "jsonpretty").out, 0, []
    decoder = json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        pretty.append(value)
    assert pretty == compact
    assert text.count("\n") > len(compact) * 5


def test_yaml(file):
    compact = ig.lines(replay(file, "-o", "json").out)
    out = replay(file, "-o", "yaml").out
    documents = [d for d in yaml.safe_load_all(out) if d]
    if len(documents) == 1 and isinstance(documents[0], list):
        documents = documents[0]
    assert len(documents) == len(compact)
    for y, j in zip(documents, compact):
        for path in ("proc.comm", "proc.pid", "fname", "error", "args", "runtime.containerName"):
            assert ig.get(y, path) == ig.get(j, path), path


def test_none(file):
    done = replay(file, "-o", "none")
    assert done.out == ""
    assert "seen" in done.err


def test_columns(file):
    lines = replay(file, "--filter", "fname~.", "--fields", "proc.comm,proc.pid,error,fname").out.splitlines()
    titles = lines[0].split()
    assert len(titles) == 4 and "fname" in lines[0].lower()
    place = re.search("fname", lines[0], re.I).start()
    row = next(line for line in lines if "/no/such/file" in line)
    assert row.index("/no/such/file") == place
    assert "ENOENT" in row
    assert not any(line != line.rstrip() for line in lines), "trailing blanks"


def test_no_headers(file):
    whole = replay(file).out.splitlines()
    bare = replay(file, "--no-headers").out.splitlines()
    assert bare == [line for line in whole if line in bare] and len(bare) < len(whole)


@pytest.mark.parametrize("stream", ("file", "mixed"))
def test_hostile_names_in_columns(stream, request):
    for mode in ("columns", "yaml", "jsonpretty", "json"):
        out = replay(request.getfixturevalue(stream), "-o", mode).out
        controls = [c for c in out if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"]
        if mode != "columns":
            controls = [c for c in controls if c != "\u202e"]  # a parser's affair, not a terminal's
        assert not controls, (mode, controls)


def terminal(*args, columns=100, seconds=20, env=None):
    """What ig writes to a terminal of that width."""
    main, sub = pty.openpty()
    fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([ig.IG, *args], stdin=subprocess.DEVNULL, stdout=sub, stderr=subprocess.PIPE,
                               env=dict(ig.ENV, **(env or {})))
    os.close(sub)
    got, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        readable, _, _ = select.select([main], [], [], 0.1)
        if readable:
            try:
                data = os.read(main, 65536)
            except OSError:
                break
            if not data:
                break
            got += data
        elif process.poll() is not None:
            break
    os.close(main)
    process.kill()
    process.wait()
    return got.decode(errors="replace").replace("\r\n", "\n")


OWN_SEQUENCES = re.compile(r"\033\[[0-9;]*m")


@pytest.mark.parametrize("stream", ("file", "mixed"))
def test_hostile_names_on_a_terminal(stream, request):
    """Only ig's own colours come through; no name's sequence does."""
    got = terminal("replay", request.getfixturevalue(stream), columns=300)
    rest = OWN_SEQUENCES.sub("", got)
    assert "esc-" in rest
    assert not [c for c in rest if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0], repr(rest)
    for sequence in ("\033[31mred", "\033]0;", "\033[2J"):
        assert sequence not in got


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.parametrize("columns", (40, 80, 200))
def test_lines_of_a_mixture_are_cut_on_a_terminal(mixed, columns):
    got = OWN_SEQUENCES.sub("", terminal("replay", mixed, columns=columns)).splitlines()
    assert got[0].startswith("GADGET") and max(map(width, got)) <= columns, got
    assert any(line.endswith("…") and width(line) == columns for line in got) or columns == 200
    assert "…" not in replay(mixed).out


@pytest.mark.parametrize("columns", (60, 100, 160))
def test_widths_follow_the_terminal(file, columns):
    got = OWN_SEQUENCES.sub("", terminal("replay", file, "--fields", "runtime.containerName,proc.comm,proc.pid,fname",
                                         "--filter", "fname~.", columns=columns))
    widths = [width(line.rstrip("\n")) for line in got.splitlines()]
    assert widths and max(widths) <= columns, got


def test_no_color(file):
    assert "\033" not in terminal("replay", file, env={"NO_COLOR": "1"})
    assert "\033" not in replay(file).out


@pytest.mark.parametrize("expression, wanted", (
    ("fname==/etc/hosts", lambda r: r["fname"] == "/etc/hosts"),
    ("fname!=/etc/hosts", lambda r: r["fname"] != "/etc/hosts"),
    ("fname~^/tmp/.*red", lambda r: "red" in r["fname"]),
    ("fname!~^/tmp", lambda r: not r["fname"].startswith("/tmp")),
    ("error==ENOENT", lambda r: r.get("error") == "ENOENT"),
    ("error==2", lambda r: r.get("error") == "ENOENT"),
    ("error==0", lambda r: r.get("error") in ("", 0, None)),
    ("fd>=3,fname~host", lambda r: r["fd"] >= 3 and "host" in r["fname"]),
    ("fd<3", lambda r: r["fd"] < 3),
    ("proc.comm==cat", lambda r: r["proc"]["comm"] == "cat"),
    (r"fname==/tmp/yaml: {no\, [yes]} #", lambda r: r["fname"] == "/tmp/yaml: {no, [yes]} #"),
    ("runtime.containerName~nothing", lambda r: False),
))
def test_filter(file, expression, wanted):
    everything = opens(file)
    expected = [r for r in everything if wanted(r)]
    assert opens(file, "--filter", expression) == expected
    if "nothing" not in expression:
        assert expected


def test_filter_by_time_as_it_is_shown(file):
    everything = opens(file)
    shown = everything[len(everything) // 2]["timestamp"]
    for op, wanted in (("==", lambda t: t == shown), (">", lambda t: t > shown), ("<=", lambda t: t <= shown)):
        expected = [r for r in everything if wanted(r["timestamp"])]
        assert expected and opens(file, "--filter", f"timestamp{op}{shown}") == expected
    day = (datetime.date.fromisoformat(shown[:10]) + datetime.timedelta(days=1)).isoformat()
    assert opens(file, "--filter", f"timestamp>2020-01-01,timestamp<{day}T12:00:00+02:00") == everything
    assert opens(file, "--filter", f"runtime.containerStartedAt<{shown}") != []
    assert opens(file, "--filter", f"runtime.containerStartedAt>{day}") == []
    assert "not a value of field 'timestamp'" in replay(file, "--filter", "timestamp>noon", check=2).err


def test_filters_add_up(file):
    got = opens(file, "--filter", "fname~^/etc", "--filter", "proc.comm==cat")
    assert got and all(r["fname"].startswith("/etc") and r["proc"]["comm"] == "cat" for r in got)


def test_discarded_is_what_the_filter_took(file):
    whole = ig.totals(replay(file, "-o", "none").err)
    done = replay(file, "-o", "json", "--filter", "fname==/etc/hosts")
    t = ig.totals(done.err)
    assert t.seen == whole.seen == t.delivered + t.discarded + t.lost
    assert t.delivered == len(ig.records(done.out))


def test_fields(file):
    r = opens(file, "--fields", "fname,proc.pid")[0]
    assert set(r) == {"fname", "proc"} and set(r["proc"]) == {"pid"}
    titles = replay(file, "--filter", "fname~.", "--fields", "-fname,+flags").out.splitlines()[0].lower()
    assert "flags" in titles and "fname" not in titles


def test_a_stream_is_not_sorted(file):
    """The word is refused, not ignored."""
    done = replay(file, "--sort", "-fname", check=2)
    assert "--sort" in done.err


def test_several_gadgets_in_columns(mixed):
    """One table of what they share; what only one has stands behind, with its name."""
    out = replay(mixed).out
    assert out.splitlines()[0].split()[0] == "GADGET"
    row = next(line for line in out.splitlines() if "/no/such/file" in line and line.startswith("trace_open"))
    assert "fname=/no/such/file" in row and "ENOENT" in row
    assert any(line.startswith("trace_exec") and "args=" in line for line in out.splitlines())


def test_unwritten_records_are_counted(file):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ig.IG, "replay", file, "-o", "json"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=20)
    n = ig.totals(done.stderr).delivered
    assert done.returncode == 1 and n > 0
    assert f"{n} of the delivered records could not be written" in done.stderr


def test_max_entries(file):
    assert len(ig.records(replay(file, "-o", "json", "--max-entries", "3").out)) == 3


def test_max_entries_ends_a_run(lab):
    c = lab.start("while :; do busybox true; sleep 0.05; done")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, "--max-entries", "5") as running:
        assert running.wait(20) == 0
        assert len(running.records()) == 5
        t = running.totals()
        assert t.delivered == 5 and t.seen == t.delivered + t.discarded + t.lost


def test_timeout(lab):
    lab.start("sleep", "60")
    start = time.monotonic()
    assert ig.once("run", "trace_exec", "--timeout", "2", timeout=20).returncode == 0
    assert 1.9 < time.monotonic() - start < 6


def test_live_columns_on_a_terminal(lab):
    c = lab.start("while :; do busybox true; sleep 0.05; done")
    got = terminal("run", "trace_exec", "-c", c.name, "--timeout", "2", columns=80)
    lines = OWN_SEQUENCES.sub("", got).splitlines()
    assert c.name[:6] in got and len(lines) > 5
    assert max(map(width, lines)) <= 80


def test_records_come_at_once(lab):
    """A reader of a pipe does not wait for a full buffer."""
    c = lab.start("sleep 1; while :; do busybox true; sleep 0.5; done")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name) as running:
        running.ready()
        running.wait_record(lambda r: True, seconds=3)
        running.stop()
