/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What gadgets are written in. A gadget's whole description stands in its BPF source: programs,
 * record struct, parameters, words for people. It is carried to the host by BTF declaration tags.
 * docs/writing-a-gadget.md is the guide; this file is the reference.
 *
 *   GADGET("What it does", ALIAS("oldname"));       once
 *   PARAM(bool, failed, false, "Only failed ones"); a flag; its value is a constant of the program
 *   TRACER(open, open_event, 4096);                 records, each with texts of up to 4096 bytes
 *   TOP(tcp, tcp_key, tcp_value, 10240);            a keyed table, taken at each interval
 *   SNAPSHOT(process, process_entry, 0);            rows written by iterator programs
 *   SAMPLE(process, process_usage, 0);              the same at each interval
 *   PENDING(opens, open_call);                      a value per task, from enter to exit
 *
 * The way of a record in a program:
 *
 *   g_container c;
 *   if (!wanted(&c))                     the container look-up: leave at once
 *           return 0;
 *   struct open_event *e = record_begin(open, c);
 *   if (!e)
 *           return 0;
 *   e->… = …;                            every byte is zero at first
 *   text_user(open, e, path, pointer, 4096);
 *   record_submit(open, e);              predicate, count, ring
 *
 * Each record has a field `g_time timestamp` and a field `g_container container`; record_begin()
 * fills both.
 *
 * Its parts are included below. Further: <gadget/path.bpf.h> resolves paths of files and
 * <gadget/user_path.bpf.h> those that calls are given, <gadget/socket.bpf.h> looks into sockets,
 * <gadget/line.bpf.h> writes calls as lines.
 *
 * BPF_CORE_READ() starts from a variable that points to a kernel type, not from a member of a
 * struct of the gadget's own (`call->sk`), which it would look for in the kernel as well: copy it
 * first.
 */
#pragma once

#include <gadget/wanted.bpf.h>
#include <gadget/record.bpf.h>
#include <gadget/text.bpf.h>
#include <gadget/table.bpf.h>
#include <gadget/pending.bpf.h>
#include <gadget/process.bpf.h>

/* ---- description ---------------------------------------------------------------------------- */

/* In GADGET(): another name that people know it by. */
#define ALIAS(name) G_TAG("alias:" name)

/* In GADGET(): what it cannot tell on any kernel, in a true sentence or two. */
#define LIMITS(text) G_TAG("limits:" text)

/*
 * In GADGET(): a shell command that makes what the gadget tells of, and a filter expression for the
 * record that must come then, for `ig selftest`. The command is run in a container that has the
 * machine's own programs: it should get along with few of them.
 */
#define SELFTEST(command, filter) \
	G_TAG("selftest:" command) G_TAG("selftest-filter:" filter)

/*
 * In GADGET(), or in place of PARAM(): what the gadget tells depends on what it has told before, so
 * that who comes later to a running one would not be told all. Each tracer gets programs of its
 * own then (with the parameter: where that is set).
 */
#define ALONE G_TAG("alone")
#define PARAM_ALONE(type, name, value, text) \
	const volatile type name G_TAG("param") ALONE DOC(text) = value

/* In TOP(), SAMPLE() and SNAPSHOT(): how rows are sorted where the user does not say, as in --sort. */
#define SORT(fields) G_TAG("sort:" fields)

/* On a program: the gadget works without it, where the kernel has not got the hook. */
#define OPTIONAL G_TAG("optional")

/*
 * On a program: of the programs of one GROUP (a word) only those with the lowest n whose hooks all
 * exist are used.
 */
#define RUNG(group, n) G_TAG("rung:" #group ":" #n)

/* On an iterator: it runs once, when all else is attached, and writes no rows. */
#define AT_ATTACH G_TAG("at-attach")

/*
 * On an OPTIONAL program or a RUNG: it stands only where the kernel's BTF has this name too, such as
 * a helper's, BPF_FUNC_…: for code that older kernels refuse even where it is never run.
 */
#define NEEDS(name) G_TAG("needs:" #name)

/*
 * On an OPTIONAL program: what the gadget cannot tell without it. On a RUNG: what it cannot tell
 * with that one. For `ig doctor`.
 */
#define CANNOT_TELL(text) G_TAG("cannot:" text)

/*
 * On a program: it is loaded, and its hook asked for, only where the bool parameter says so. A
 * person who says so wants it: that the kernel lacks the hook is an error then.
 */
#define G_WHEN(parameter) G_TAG("when:" #parameter)
#define WHEN(parameter) G_WHEN(parameter)

/*
 * On a program of SEC("perf_event"): it runs on every CPU, so many times a second as the parameter,
 * a __u32, says. Its context is struct bpf_perf_event_data: samples.bpf.h.
 */
#define EVERY_CPU_AT(parameter) G_TAG("frequency:" #parameter)

#define GADGET(text, ...) char LICENSE[] SEC("license") DOC(text) __VA_ARGS__ = "GPL"

#define PARAM(type, name, value, text) const volatile type name G_TAG("param") DOC(text) = value
#define PARAM_TEXT(name, size, text) const volatile char name[size] G_TAG("param") DOC(text) = ""
