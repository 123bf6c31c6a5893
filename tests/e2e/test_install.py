# SPDX-License-Identifier: Apache-2.0
"""make install and uninstall; a user's program against libig; the examples."""

import os
import shutil
import subprocess

import containers
import ig
import pytest

BUILD = os.path.dirname(ig.IG)

PROGRAM = r"""
#include <stdio.h>

#include "columns/schema.h"
#include "gadget/gadget.h"

int main(void)
{
	struct gadget *g = NULL;

	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
	if (gadget_open_builtin("trace_exec", NULL, &g, NULL))
		return 1;
	return !schema_field(gadget_source(g, 0)->schema, "proc.pid");
}
"""


def make(target, dest, *args):
    return containers.run("make", "-s", "-C", containers.TOP, f"B={BUILD}", f"DESTDIR={dest}", "PREFIX=/usr", target,
                          *args, timeout=600)


def tree(folder):
    return sorted(os.path.relpath(os.path.join(top, f), folder) for top, _, files in os.walk(folder) for f in files)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    dest = tmp_path_factory.mktemp("dest")
    make("install", dest)
    return str(dest)


def test_what_is_installed(installed):
    files = tree(installed)
    for name in ("usr/bin/ig", "usr/lib/libig.a", "usr/lib/pkgconfig/ig.pc", "usr/include/gadget/gadget.bpf.h",
                 "usr/include/ig/gadget/gadget.h", "usr/include/ig/columns/view.h", "usr/share/man/man8/ig.8",
                 "usr/share/bash-completion/completions/ig", "usr/share/zsh/site-functions/_ig",
                 "usr/share/fish/vendor_completions.d/ig.fish", "usr/lib/systemd/system/ig.service"):
        assert name in files
        assert os.path.getsize(os.path.join(installed, name)) > 0
    assert not [f for f in files if "internal" in f]


def test_every_header_stands_alone(installed, tmp_path):
    """In C and by itself: what it includes is installed as well."""
    for f in tree(installed):
        if f.startswith("usr/include/ig/"):
            source = tmp_path / "h.c"
            source.write_text(f'#include "{f[len("usr/include/ig/"):]}"\n')
            containers.run("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", f"-I{installed}/usr/include/ig",
                           f"-I{installed}/usr/include", str(source))


def test_a_users_program(installed, tmp_path):
    source = tmp_path / "user.c"
    source.write_text(PROGRAM)
    flags = containers.run("pkg-config", "--static", f"--define-variable=prefix={installed}/usr", "--cflags", "--libs", "ig",
                           env=dict(os.environ, PKG_CONFIG_PATH=f"{installed}/usr/lib/pkgconfig")).text.split()
    containers.run("gcc", "-std=gnu17", "-Wall", "-Werror", str(source), "-static", *flags, "-o", str(tmp_path / "user"))
    names = containers.run(str(tmp_path / "user")).text.split()
    assert "trace_exec" in names


def test_the_installed_ig_builds_gadgets(installed, tmp_path):
    """With the headers that were installed beside it."""
    shutil.copytree(os.path.join(containers.TOP, "gadgets/trace_exec"), tmp_path / "g")
    containers.run(f"{installed}/usr/bin/ig", "build", str(tmp_path / "g"))


def test_uninstall_removes_exactly_that(tmp_path):
    make("install", tmp_path)
    (tmp_path / "usr/bin/other").write_text("")
    (tmp_path / "usr/include/other.h").write_text("")
    make("uninstall", tmp_path)
    assert tree(tmp_path) == ["usr/bin/other", "usr/include/other.h"]
    assert os.listdir(tmp_path / "usr/include") == ["other.h"]


def examples():
    folder = os.path.join(containers.TOP, "examples")
    return sorted(f[:-2] for f in os.listdir(folder) if f.endswith(".c"))


def test_there_are_examples():
    assert len(examples()) >= 4


@pytest.mark.parametrize("name", examples())
def test_example(name, lab):
    """Each ends well by itself or at SIGINT, tells something, and is short."""
    with open(os.path.join(containers.TOP, "examples", name + ".c")) as f:
        assert len(f.readlines()) < 80
    c = lab.start("while :; do busybox true; cat /etc/hosts; sleep 0.1; done")
    process = subprocess.Popen([os.path.join(os.environ.get("EXAMPLES", f"{BUILD}/examples"), name)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        out, err = process.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        process.send_signal(2)
        out, err = process.communicate(timeout=10)
    assert process.returncode in (0, -2), err
    assert out or err
    if name not in ("columns", "gadget", "gadgets"):
        assert c.name in out, (out, err)
