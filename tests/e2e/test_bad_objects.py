# SPDX-License-Identifier: Apache-2.0
"""Objects from outside: broken and hostile ones give one line and an exit code, and load nothing."""

import os
import random
import struct
import subprocess
import time

import containers
import ig
import pytest

EXAMPLE = os.path.join(containers.TOP, "gadgets/trace_open")


@pytest.fixture(scope="module")
def good(whole_lab):
    path = os.path.join(whole_lab.dir, "good.bpf.o")
    ig.once("build", EXAMPLE, "-o", path, check=0)
    with open(path, "rb") as f:
        return f.read()


def refused(path, codes=(5,)):
    done = ig.once("run", str(path), "--timeout", "100ms", "-o", "none", timeout=30)
    assert done.returncode in codes, (done.returncode, done.err)
    errors = [line for line in done.err.splitlines() if "level=error" in line]
    assert len(errors) == (done.returncode != 0), done.err
    assert "skipping" not in done.err, "a remark of libbpf's, not the reason"
    if done.returncode == 5:
        assert len(done.err.splitlines()) == 1, done.err
    return done


NOT_OBJECTS = {
    "empty": b"",
    "text": b"hello\n",
    "only a magic": b"\x7fELF",
    "zeros": b"\0" * 5000,
    "header of an executable": open("/bin/true", "rb").read(4096),
    "a whole executable": open("/bin/true", "rb").read(),
    "noise behind the magic": b"\x7fELF\x02\x01\x01" + random.Random(3).randbytes(4000),
}


@pytest.mark.parametrize("case", NOT_OBJECTS)
def test_not_an_object(case, tmp_path):
    path = tmp_path / "x.bpf.o"
    path.write_bytes(NOT_OBJECTS[case])
    assert "x.bpf.o" in refused(path).err


@pytest.mark.parametrize("part", (0.1, 0.4, 0.6, 0.8, 0.95, 0.999))
def test_cut_short(good, tmp_path, part):
    path = tmp_path / "x.bpf.o"
    path.write_bytes(good[:int(len(good) * part)])
    refused(path)


def test_a_folder_and_a_fifo(tmp_path):
    refused(f"{tmp_path}/", codes=(1, 2, 5))
    os.mkfifo(tmp_path / "x.bpf.o")
    start = time.monotonic()
    refused(tmp_path / "x.bpf.o", codes=(1, 2, 5))
    assert time.monotonic() - start < 10


def test_a_huge_file(tmp_path):
    path = tmp_path / "x.bpf.o"
    with open(path, "wb") as f:
        f.write(b"\x7fELF\x02\x01\x01")
        f.truncate(1 << 40)
    refused(path)


def sections(elf):
    """name: (offset of its header, offset, size)"""
    at, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    heads = [struct.unpack_from("<IIQQQQIIQQ", elf, at + i * size) for i in range(count)]
    base = heads[names][4]
    return {elf[base + h[0]:elf.index(b"\0", base + h[0])].decode(): (at + i * size, h[4], h[5])
            for i, h in enumerate(heads)}


HEADER_FIELDS = {"sh_name": (0, "<I"), "sh_type": (4, "<I"), "sh_offset": (24, "<Q"), "sh_size": (32, "<Q"),
                 "sh_link": (40, "<I"), "sh_info": (44, "<I"), "sh_entsize": (56, "<Q")}


def test_wrong_section_headers(good, tmp_path):
    """Each field of each section's header, with values beyond every bound."""
    path = tmp_path / "x.bpf.o"
    refusals = 0
    for at, _, _ in sections(good).values():
        for offset, form in HEADER_FIELDS.values():
            for value in (0xfffffff0, 0x7fffffff):
                bad = bytearray(good)
                struct.pack_into(form, bad, at + offset, value)
                path.write_bytes(bad)
                # Some fields mean nothing to a reader of BPF: then it is a good object.
                done = refused(path, codes=(0, 5))
                refusals += done.returncode != 0
    assert refusals > 50


@pytest.mark.parametrize("section", (".BTF", ".BTF.ext", ".symtab", ".strtab", ".maps", ".gadget", ".rodata"))
def test_damaged_section(good, tmp_path, section):
    """Bytes of one section are wrong: never a crash or a hang, at most one line."""
    head, at, size = sections(good)[section]
    dice = random.Random(section)
    path = tmp_path / "x.bpf.o"
    for _ in range(12):
        bad = bytearray(good)
        for _ in range(dice.choice((1, 3, 20))):
            bad[at + dice.randrange(size)] = dice.randrange(256)
        path.write_bytes(bad)
        refused(path, codes=(0, 4, 5))


def compile_gadget(tmp_path, source):
    """An object that clang makes, whatever ig thinks of it."""
    (tmp_path / "x.bpf.c").write_text(source)
    subprocess.run(["clang", "-g", "-O2", "-target", "bpf", "-mcpu=v2", "-D__TARGET_ARCH_x86", "-I",
                    os.path.join(containers.TOP, "include"), "-c", str(tmp_path / "x.bpf.c"), "-o",
                    str(tmp_path / "x.bpf.o")], check=True)
    return tmp_path / "x.bpf.o"


SKELETON = """
#include <gadget/gadget.bpf.h>
GADGET("A test");
struct e { g_time timestamp; g_container container; g_text t; };
TRACER(e, e, 64);
"""


def test_what_the_verifier_refuses(tmp_path):
    path = compile_gadget(tmp_path, SKELETON + """
SEC("tp/syscalls/sys_enter_openat")
int p(struct syscall_enter *ctx) { return *(volatile int *)(ctx->args[1]); }
""")
    done = refused(path)
    assert "p" in done.err


def test_a_hook_that_is_not_there(tmp_path):
    path = compile_gadget(tmp_path, SKELETON + """
SEC("tp/nothing/like_this")
int p(struct syscall_enter *ctx) { return 0; }
""")
    assert "like_this" in refused(path, codes=(4,)).err


def test_a_plain_bpf_object(tmp_path):
    """Valid BPF, but no gadget."""
    path = compile_gadget(tmp_path, """
#include <gadget/kernel.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("tp/syscalls/sys_enter_openat")
int p(void *ctx) { return 0; }
""")
    refused(path)


def test_texts_that_point_outside_of_their_record(lab, tmp_path):
    """A gadget may write any offset and length into a g_text: the reader checks."""
    path = compile_gadget(tmp_path, SKELETON + """
SEC("tp/syscalls/sys_enter_openat")
int p(struct syscall_enter *ctx)
{
	g_container c;
	struct e *e;

	if (!wanted(&c) || !(e = record_begin(e, c)))
		return 0;
	e->t.offset = ctx->args[2] & 1 ? 0xfffffff0 : 60;
	e->t.length = 0x7ffffff0;
	e->container = 0x1234567890;
	record_submit(e, e);
	return 0;
}
""")
    c = lab.start("while :; do cat /etc/hosts; : >/tmp/x; sleep 0.05; done")
    with ig.Ig("run", str(path), "-o", "json", "--timeout", "2", "-c", c.name) as running:
        assert running.wait() == 0, running.err
        assert all(not ig.get(r, "t") for r in running.records())
