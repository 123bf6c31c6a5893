/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc tells of processes and their containers. The parsers take the bytes of a file
 * (proc(5), cgroups(7)) and believe nothing of them; the readers take a descriptor of the host's
 * /proc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct proc_stat {
	uint32_t ppid;
	uint64_t start_ticks; /* since boot, 100 a second: field 22 */
};

/* ---- parsers --------------------------------------------------------------------- */

/* /proc/PID/stat. -EINVAL: malformed. */
int proc_parse_stat(const char *text, size_t len, struct proc_stat *ret);

struct proc_nspid {
	unsigned int levels; /* in how many pid namespaces it is */
	uint32_t inner;	     /* its pid in the innermost, */
	uint32_t above;	     /* and in the one above that; 0: there is none */
};

/* The NSpid line of /proc/PID/status. -ENOENT: no such line; -EINVAL: malformed. */
int proc_parse_nspid(const char *text, size_t len, struct proc_nspid *ret);

/* Path of the cgroup v2 in /proc/PID/cgroup (NUL-terminated), as a new string; NULL: there is none.
 */
char *proc_parse_cgroup2(const char *text);

/*
 * The first cgroup v1 path that is in `text` and not in the same hierarchy of `other` (both
 * /proc/PID/cgroup), as a new string; NULL: none.
 */
char *proc_parse_cgroup1(const char *text, const char *other);

/*
 * Where /proc/PID/mountinfo (NUL-terminated) has the root of cgroup v2 mounted, as a new string;
 * NULL: nowhere.
 */
char *proc_parse_cgroup2_mount(const char *text);

/* "mnt:[4026531832]": the number. -EINVAL: malformed. */
int proc_parse_namespace(const char *link, uint64_t *ret);

/* ---- readers --------------------------------------------------------------------- */

int proc_stat(int proc, uint32_t pid, struct proc_stat *ret);
int proc_nspid(int proc, uint32_t pid, struct proc_nspid *ret);
int proc_cgroups(int proc, uint32_t pid, struct buf *b); /* the file's text */
int proc_namespace(int proc, uint32_t pid, const char *name,
		   uint64_t *ret); /* "mnt", "net", "pid" */

/* "cmdline": strings with their NUL, one after the other; empty for kernel threads. */
int proc_cmdline(int proc, uint32_t pid, struct buf *b);
/* Where the process is, as a new string; NULL: it cannot be told. */
char *proc_cwd(int proc, uint32_t pid);

uint64_t proc_boot_ns(void); /* CLOCK_BOOTTIME, by which processes' starts are told */

/* Nanoseconds to and from the ticks of /proc/PID/stat. */
uint64_t proc_ticks_to_ns(uint64_t ticks);
uint64_t proc_ns_to_ticks(uint64_t ns);
