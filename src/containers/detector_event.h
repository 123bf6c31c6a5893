/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What the container detector (src/bpf/detector.bpf.c) tells the host side. Include after the types
 * __u32 and __u64.
 */
#pragma once

enum detector_type {
	DETECTOR_STARTED, /* the first process of what looks like a container is about to run its
			     first instruction */
	DETECTOR_ENDED,	  /* a container's first process has ended */
	DETECTOR_CHILD,	  /* a cgroup was made below a container's: `cgroup` */
	DETECTOR_GONE,	  /* a cgroup of a container was removed: `cgroup` */
	DETECTOR_RESCAN,  /* a container started, but there was no key for it */
	DETECTOR_RUNTIME, /* an OCI runtime was started: its command line */
};

enum detector_flags {
	DETECTOR_SURE = 1,   /* first process of a pid namespace, or in a cgroup that a runtime has
				made. Else only a runtime's state can confirm it */
	DETECTOR_SHARED = 2, /* its cgroup is not its own: it is known by its namespaces */
	DETECTOR_NETNS = 4,  /* its network namespace was entered under its key, too */
};

#define DETECTOR_MAPS 512 /* maps that are kept filled at a time */

#define DETECTOR_NAME 128 /* bytes of a cgroup's name that are kept, with the final NUL */
#define DETECTOR_NAMES 4  /* cgroup names kept: its own, its parent's … */

/* The part that all events have. */
struct detector_event {
	__u32 type; /* enum detector_type */
	__u32 flags;
	__u64 key;    /* g_container */
	__u64 cgroup; /* cgroup v2 id */
	__u64 time;   /* CLOCK_BOOTTIME, ns */
};

struct detector_start {
	struct detector_event event;
	__u64 started; /* CLOCK_BOOTTIME at which the process was made, ns */
	__u64 outer;   /* g_container of the container that it runs in; 0: none */
	__u32 pid;     /* in the first pid namespace */
	__u32 mntns, netns, pidns;
	__u32 level;	 /* of the cgroup that is named; 0 is the hierarchy's root */
	__u32 ppid;	 /* its parent: often the runtime itself, or its shim */
	char parent[16]; /* comm of that */
	/*
	 * The cgroup that sets the process apart from its parent (of cgroup v1 where v2 does not),
	 * then the cgroups above it, "" past the root: names remain known when the process is gone
	 * already.
	 */
	char names[DETECTOR_NAMES][DETECTOR_NAME];
};

#define DETECTOR_ARGS 1024 /* bytes of a runtime's command line that are kept */

struct detector_runtime {
	struct detector_event event;
	__u32 pid;
	__u32 mntns;
	__u32 size;		  /* of the command line; it may have been longer */
	char args[DETECTOR_ARGS]; /* strings with their NUL, one after the other */
};
