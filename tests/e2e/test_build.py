# SPDX-License-Identifier: Apache-2.0
"""A user's gadget: built by ig, and run by its path like one of ig's own."""

import glob
import os
import shutil

import containers
import ig
import pytest

OURS = os.path.join(containers.TOP, "tests/gadgets")


def folders():
    return sorted(f.rstrip("/") for place in ("examples/gadget", "tests/gadgets")
                  for f in glob.glob(os.path.join(containers.TOP, place, "*/")))


@pytest.mark.parametrize("folder", folders(), ids=os.path.basename)
def test_build_in_place(folder, tmp_path):
    """Without -o the object is written beside its source."""
    copy = tmp_path / os.path.basename(folder)
    shutil.copytree(folder, copy)
    done = ig.once("build", str(copy), check=0)
    path = done.out.strip()
    assert os.path.dirname(path) == str(copy) and path.endswith(".bpf.o")
    assert ig.once("docs", path, check=0).out.startswith("# ")
    assert "Usage" in ig.once("run", path, "--help", check=0).out


def test_build_says_what_clang_says(tmp_path):
    (tmp_path / "x.bpf.c").write_text("#include <gadget/gadget.bpf.h>\nnonsense\n")
    done = ig.once("build", str(tmp_path))
    assert done.returncode == 5 and "nonsense" in done.err


def test_one_slip_fills_no_screen(tmp_path):
    with open(os.path.join(containers.TOP, "examples/gadget/trace_chdir/trace_chdir.bpf.c")) as f:
        (tmp_path / "x.bpf.c").write_text(f.read().replace("TRACER(chdir,", "TRACER(chdri,"))
    done = ig.once("build", str(tmp_path))
    assert done.returncode == 5 and len(done.err.splitlines()) < 60


def sample(tmp_path, old, new):
    """The folder of a gadget that is ours but for one place."""
    with open(os.path.join(OURS, "sample_tracer/sample_tracer.bpf.c")) as f:
        text = f.read()
    assert old in text
    (tmp_path / "sample_tracer.bpf.c").write_text(text.replace(old, new))
    return str(tmp_path)


def test_a_refused_object_does_not_stay(tmp_path):
    done = ig.once("build", sample(tmp_path, "COL(width = 7, fixed)", "COL(width = many)"))
    assert done.returncode == 5 and "width" in done.err and not done.out
    assert os.listdir(tmp_path) == ["sample_tracer.bpf.c"]


def test_what_is_no_file_stays(tmp_path):
    """As root, in a script that only wants to know whether it compiles."""
    (tmp_path / "link").symlink_to("/dev/null")
    done = ig.once("build", os.path.join(OURS, "sample_tracer"), "-o", str(tmp_path / "link"))
    assert done.returncode == 5 and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ("host", "max_entries", "help"))
def test_a_parameter_named_as_a_flag_of_ig(tmp_path, name):
    first = "PARAM(bool, failed,"
    folder = sample(tmp_path, first, f'PARAM(bool, {name}, false, "Taken");\n{first}')
    path = ig.once("build", folder, check=0).out.strip()
    name = name.replace("_", "-")
    for args in (["run", path], ["run", "trace_exec", path, f"--{name}"], ["run", "--timeout", "1", path]):
        done = ig.once(*args)
        assert done.returncode == 5 and f"'{name}'" in done.err and f"'--{name}'" in done.err, done.err
        assert len(done.err.splitlines()) == 1 and "sample_tracer" in done.err


def test_build_without_a_source_or_with_two(tmp_path):
    assert ig.once("build", str(tmp_path)).returncode == 2
    (tmp_path / "a.bpf.c").write_text("")
    (tmp_path / "b.bpf.c").write_text("")
    assert "several" in ig.once("build", str(tmp_path)).err


def test_build_for_arm64(tmp_path):
    out = tmp_path / "x.o"
    ig.once("build", os.path.join(containers.TOP, "gadgets/trace_tcp"), "--arch", "arm64", "-o", str(out), check=0)
    assert out.read_bytes()[:4] == b"\x7fELF"


def test_a_built_in_as_a_file_is_the_same(lab, tmp_path):
    """Built-in and file take the same way: the same description, the same records."""
    path = str(tmp_path / "trace_exec.bpf.o")
    ig.once("build", os.path.join(containers.TOP, "gadgets/trace_exec"), "-o", path, check=0)

    def fields(gadget):
        return [line for line in ig.once("docs", gadget, check=0).out.splitlines() if line.startswith("|")]
    assert fields(path) == fields("trace_exec")
    c = lab.container("echo", "from-a-file")
    with ig.Ig("run", path, "-o", "json", "-c", c.name) as running:
        running.ready()
        c.run()
        running.wait_record(lambda r: "from-a-file" in str(r["args"]))
        assert running.stop() == 0


def test_twice_the_same(lab):
    c = lab.start("while :; do busybox true; sleep 0.1; done")
    with ig.Ig("run", "trace_exec", "trace_exec", "-o", "json", "-c", c.name, "--timeout", "1") as running:
        assert running.wait() == 0
        records = running.records()
        pids = [ig.get(r, "proc.pid") for r in records]
        # Each event twice, but for the moments when only one is attached.
        assert pids and sum(pids.count(p) >= 2 for p in pids) > 0.7 * len(pids)
        assert {r["gadget"] for r in records} == {"trace_exec", "trace_exec#2"}
