# SPDX-License-Identifier: Apache-2.0
"""The command line: help, lists, documents, completion, and what is said to a mistake."""

import os
import re
import shutil
import subprocess
import time

import ig
import pytest


def gadgets():
    return [r["name"] for r in ig.lines(ig.once("list", "-o", "json", check=0).out)]


def test_list():
    rows = {r["name"]: r for r in ig.lines(ig.once("list", "-o", "json", check=0).out)}
    folders = {f for f in os.listdir(os.path.join(os.path.dirname(__file__), "../../gadgets"))}
    assert set(rows) == folders
    assert all(r["description"] for r in rows.values())
    assert rows["trace_exec"]["kind"] == "tracer" and rows["top_tcp"]["kind"] == "top"
    for name in folders:
        assert name in ig.once("list").out


@pytest.mark.parametrize("alias, name", (("execsnoop", "trace_exec"), ("opensnoop", "trace_open"),
                                         ("tcpconnect", "trace_tcp"), ("tcpaccept", "trace_tcp"), ("tcptop", "top_tcp")))
def test_aliases(alias, name):
    assert ig.once("docs", alias, check=0).out == ig.once("docs", name, check=0).out


def test_version():
    with open(os.path.join(os.path.dirname(__file__), "../../VERSION")) as f:
        version = f.read().strip()
    assert version in ig.once("version", check=0).out
    assert version in ig.once("--version", check=0).out


@pytest.mark.parametrize("name", gadgets())
def test_every_gadget_has_help_and_docs(name):
    text = ig.once("run", name, "--help", check=0).out
    docs = ig.once("docs", name, check=0).out
    assert "--filter" in text and "--containername" in text
    assert f"{name}: {docs.splitlines()[2]}" in text
    assert not re.search(r"^\| `.*\|  \|$", docs, re.M), "a field or flag without its meaning"
    params = re.findall(r"^\| `(--[a-z0-9-]+)`", docs, re.M)
    for flag in params:
        assert flag in text
    assert "\n## Fields of `" in docs


def commands():
    return re.findall(r"^  ([a-z-]+) ", ig.once("help", check=0).out, re.M)


def test_help_needs_neither_root_nor_a_kernel():
    assert {"run", "replay", "list", "list-containers", "docs", "build", "version"} <= set(commands())
    for c in commands():
        done = ig.once(c, "--help", check=0)
        assert "Usage" in done.out


def test_man_page(tmp_path):
    page = tmp_path / "ig.8"
    page.write_text(ig.once("man", check=0).out)
    headings = re.findall(r"^\.SS (.*)$", page.read_text(), re.M)
    assert len(headings) == len(commands()) and all(re.fullmatch('"ig [^"]*"', h) for h in headings), headings
    text = subprocess.run(["man", "--warnings=w", "-l", str(page)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="100", PATH=os.environ["PATH"] + ":/usr/bin"))
    out = re.sub(".\b", "", text.stdout.decode())
    assert text.returncode == 0 and not text.stderr, text.stderr.decode()
    for word in commands() + gadgets() + ["EXIT STATUS", "--containername"]:
        assert word in out, word


def bash_complete(*words):
    """What bash offers for the last word."""
    script = (f'PATH={os.path.dirname(ig.IG)}:$PATH; source <(ig completion bash)\n'
              'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ig; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_bash_completion():
    assert "list-containers" in bash_complete("ig", "li")
    assert "trace_exec" in bash_complete("ig", "run", "trace_e")
    assert "--containername" in bash_complete("ig", "run", "trace_exec", "--cont")
    assert "--ignore-failed" in bash_complete("ig", "run", "trace_exec", "--ign")
    assert bash_complete("ig", "run", "trace_exec", "-o", "js") == ["json", "jsonpretty"]


@pytest.mark.parametrize("shell, check", (("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"]), ("bash", ["bash", "-n"])))
def test_completion_scripts(shell, check, tmp_path):
    script = tmp_path / "script"
    script.write_text(ig.once("completion", shell, check=0).out)
    assert "ig complete" in script.read_text()
    if shutil.which(check[0]):
        subprocess.run([*check, str(script)], check=True)


def test_fish_offers_files_as_well():
    """ig run ./NAME.bpf.o, ig replay FILE: fish's -f would hide them."""
    script = ig.once("completion", "fish", check=0).out
    assert not {"-f", "--no-files", "-x", "--exclusive"} & set(script.split())


MISTAKES = {
    "no command": ([], 2, "Usage"),
    "misspelt command": (["rnu"], 2, "did you mean 'run'?"),
    "misspelt gadget": (["run", "trace_exce"], 2, "did you mean 'trace_exec'?"),
    "misspelt flag": (["run", "trace_exec", "--ignore-faild"], 2, "did you mean '--ignore-failed'?"),
    "misspelt common flag": (["run", "trace_exec", "--containernmae", "x"], 2, "--containername"),
    "a flag short for several": (["run", "trace_exec", "--container", "x"], 2, "--containername"),
    "a switch that is cut short": (["run", "trace_exec", "--deta"], 2, "did you mean '--detach'?"),
    "a flag that is cut short, with a value": (["run", "trace_exec", "--trac=x"], 2, "did you mean '--tracer'?"),
    "a file's flag that is cut short": (["daemon", "--confi", "/no/file"], 2, "did you mean '--config'?"),
    "a daemon's flag that could not be told": (["run", "trace_bind", "--interface", "--", "-d"], 2, "--detach"),
    "a value that is not taken": (["run", "trace_exec", "--host=1"], 2, "no value"),
    "help for no command": (["help", "rnu"], 2, "run"),
    "misspelt field": (["run", "trace_exec", "--fields", "proc.con"], 2, "did you mean 'proc.comm'?"),
    "misspelt field of a filter": (["run", "trace_exec", "--filter", "proc.com==x"], 2, "proc.comm"),
    "misspelt set of labels": (["run", "trace_exec", "--filter", "k8s.podLables.app==x"], 2, "k8s.podLabels.app"),
    "a selector's set": (["run", "trace_exec", "-l", "app in (a,b)"], 2, "write key=value"),
    "misspelt sort": (["run", "top_tcp", "--sort", "proc.pidd"], 2, "proc.pid"),
    "misspelt output": (["run", "trace_exec", "-o", "jsn"], 2, "did you mean 'json'?"),
    "no operator": (["run", "trace_exec", "--filter", "proc.comm"], 2, "proc.comm"),
    "bad value": (["run", "trace_exec", "--filter", "proc.pid==abc"], 2, "abc"),
    "bad expression": (["run", "trace_exec", "--filter", "proc.comm~("], 2, None),
    "bad number": (["run", "trace_exec", "--max-entries", "many"], 2, "many"),
    "a number too large": (["run", "trace_exec", "--uid", "4294967296"], 2, "4294967295"),
    "bad time": (["run", "trace_exec", "--timeout", "soon"], 2, "soon"),
    "bad size": (["run", "trace_exec", "--buffer-size", "big"], 2, "big"),
    "bad pid": (["run", "trace_exec", "--pid", "-1"], 2, "pid"),
    "no such pid": (["run", "trace_exec", "--pid", "0"], 2, "--pid"),
    "no log level": (["--log-level"], 2, "--log-level"),
    "bad log level": (["--log-level=loud", "list"], 2, "loud"),
    "no gadget": (["run"], 2, "ig list"),
    "a flag without its value": (["run", "trace_exec", "-o"], 2, "-o"),
    "a file that is not there": (["run", "./no.bpf.o"], 2, "no.bpf.o"),
    "a folder that is not there": (["build", "/no/folder"], 2, "/no/folder"),
    "no shell": (["completion", "tcsh"], 2, "bash"),
    "a record file in a folder that is not there": (["run", "trace_exec", "--record", "/no/folder/x"], 2, "/no/folder/x"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake(case):
    args, code, word = MISTAKES[case]
    done = ig.once(*args, timeout=10)
    assert done.returncode == code, done.err
    assert done.out == ""
    if args:
        assert len(done.err.splitlines()) == 1, done.err
    if word:
        assert word in done.err


def as_nobody(*args):
    """ig as a user who may nothing; the program is opened before, it may lie where nobody cannot go."""
    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    program = os.open(ig.IG, os.O_RDONLY)
    done = subprocess.run([f"/proc/self/fd/{program}", *args], pass_fds=[program], preexec_fn=drop, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    os.close(program)
    return done


@pytest.mark.parametrize("args", (["run", "trace_exec"], ["run", "trace_open,top_tcp"], ["list-containers"]))
def test_not_root(args):
    done = as_nobody(*args)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1 and "root" in done.stderr


def test_not_root_may_ask():
    assert as_nobody("list").returncode == 0
    assert as_nobody("docs", "trace_exec").returncode == 0
    assert as_nobody("run", "trace_exec", "--help").returncode == 0


@pytest.mark.parametrize("words", (["-d"], ["-dt10"], ["-t10", "-d"], ["--detach"], ["--tracer", "x"], ["--tracer=x"]))
def test_what_only_a_daemon_does(words):
    """It is asked of one, however it is written. Nobody may reach this machine's."""
    done = as_nobody("run", "trace_exec", *words)
    assert done.returncode in (1, 3) and "daemon at unix:///" in done.stderr, done.stderr


@pytest.mark.parametrize("words", (["--fields", "-d"], ["--fields", "--tracer", "x"], ["-o-d"], ["--", "-d"]))
def test_what_only_looks_like_it(words):
    done = as_nobody("run", "trace_exec", *words)
    assert done.returncode in (2, 3) and "daemon" not in done.stderr, done.stderr


def test_log_level(whole_lab):
    quiet = ig.once("run", "trace_exec", "--timeout", "500ms", "--log-level", "error", "-c", "nobody")
    assert quiet.returncode == 0 and "level=" not in quiet.err
    done = ig.once("run", "trace_exec", "--log-level", "loud")
    assert done.returncode == 2 and "debug" in done.err


def test_a_fraction_is_of_seconds(whole_lab):
    started = time.monotonic()
    ig.once("run", "trace_exec", "--timeout", "1.5", "-c", "nobody", check=0)
    assert time.monotonic() - started >= 1.5


def test_a_slip_costs_no_older_record_file(tmp_path):
    (tmp_path / "old").write_text("old")
    ig.once("run", "trace_exec", "--record", str(tmp_path / "old"), "--fields", "no_such", check=2)
    assert (tmp_path / "old").read_text() == "old"


def test_closed_streams(whole_lab, tmp_path):
    """No descriptor of ours takes the place of stdout: its records would land there."""
    file = tmp_path / "x.rec"
    done = subprocess.run(["sh", "-c", f"exec {ig.IG} run trace_open --host -o json -t 1 --record {file} <&- >&- 2>&-"],
                          timeout=20)
    assert done.returncode == 0
    ig.once("replay", str(file), "-o", "none", check=0)


@pytest.mark.parametrize("args", (["list"], ["docs"], ["man"], ["completion", "bash"], ["run", "--help"]))
def test_full_device(args):
    """A stdout that cannot be written is a failure, not success."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([ig.IG, *args], stdout=full, stderr=subprocess.PIPE, timeout=10)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_reader_that_goes_away():
    """ig man | head: no failure."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([ig.IG, "man"], stdout=writer, stderr=subprocess.PIPE, timeout=10)
    os.close(writer)
    assert done.returncode == 0 and not done.stderr
