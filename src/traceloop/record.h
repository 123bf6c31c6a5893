/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What src/bpf/traceloop.bpf.c writes, and what it is told. Include after the types __u32 and
 * __u64.
 *
 * A ring has a lane for each CPU, to which only that CPU writes. In a
 * lane records stand one after the other, from `place` 0 on. One may begin anywhere before
 * `loop_size` and reach past it, into the slack; the next one then begins at 0 again, in the next
 * lap. So no record is ever cut in two, and none leaves a gap.
 *
 *   data  |new new new|......|old old old old old|slack|
 *                     ^place  ^what the record that is being written may have overwritten
 */
#pragma once

enum {
	LOOP_ARGS = 6,
	LOOP_PARTS = 4,	    /* of one record */
	LOOP_BYTES = 64,    /* bytes of a buffer */
	LOOP_MANY = 8,	    /* elements of an array of structs */
	LOOP_WORDS = 8,	    /* of a command line that could not be executed */
	LOOP_TEXT = 512,    /* bytes of a path, with its NUL; of a command line */
	LOOP_RECORD = 2304, /* bytes of a record at most: head, values, parts, footer */
	LOOP_CALLS = 512, /* numbers of system calls that the table knows; one more is for others */
	LOOP_COMPAT = 0x10000, /* in a number: it is one of 32-bit programs */
};

/* At the beginning of a lane. */
struct loop_lane {
	__u64 end;	/* laps << 32 | place: where the next record begins */
	__u64 last_end; /* where the last record of the lap before ended */
	__u64 seq;	/* records written, ever */
	__u64 lost;	/* that could not be written, ever */
	__u32 busy;	/* somebody writes */
	__u32 used;	/* bytes of the record that is being written */
	__u64 args[8];	/* of the call that is being written */
	__u64 regs[13];
	/* then loop_size bytes, then LOOP_RECORD of slack */
};

enum loop_kind {
	LOOP_ENTER = 1,
	LOOP_EXIT,
};

/* A record: a struct loop_enter or loop_exit, parts, and the footer. Sizes are multiples of 8. */
struct loop_record {
	__u16 size; /* in bytes, footer included */
	__u8 kind;  /* enum loop_kind */
	__u8 n_args;
	__s32 nr;
	__u64 time; /* CLOCK_BOOTTIME, ns */
	__u32 seq;  /* of this lane, the low bits; the first is 1 */
	__u32 pid, tid;
	__u32 unused;
};

struct loop_enter {
	struct loop_record record;
	char comm[16];
	__u64 args[]; /* record.n_args */
};

struct loop_exit {
	struct loop_record record;
	__s64 ret;
};

/* The last 8 bytes: a record's beginning is found from its end. */
struct loop_footer {
	__u32 seq;
	__u16 size;
	__u16 magic; /* LOOP_MAGIC */
};

#define LOOP_MAGIC 0x6c70

/* What lay where an argument pointed to; its bytes follow, padded to a multiple of 8. */
struct loop_part {
	__u8 arg;
	__u8 flags; /* LOOP_PART_… */
	__u16 size;
	__u32 whole; /* bytes there were, of which `size` were kept */
};

enum {
	LOOP_PART_FAILED = 1, /* it could not be read (yet) */
	LOOP_PART_CUT = 2,
};

/* ---- what to keep of a system call ------------------------------------------------- */

enum loop_probe_kind {
	LOOP_PROBE_NONE,
	LOOP_PROBE_TEXT,    /* NUL-terminated */
	LOOP_PROBE_BYTES,   /* as many as `of` says */
	LOOP_PROBE_VECTOR,  /* the first struct iovec that it points to */
	LOOP_PROBE_MESSAGE, /* the first struct iovec of a struct msghdr */
	LOOP_PROBE_EXEC,    /* the new command line, once it succeeded */
};

enum loop_of {
	LOOP_OF_ARG = 0,     /* ..5: that argument */
	LOOP_OF_RESULT = 6,  /* what the call returned */
	LOOP_OF_POINTER = 8, /* ..13: the u32 that argument - 8 points to */
	LOOP_OF_CONST = 15,  /* `unit` bytes */
};

struct loop_probe {
	__u8 kind; /* enum loop_probe_kind */
	__u8 arg;
	__u8 of;
	__u8 at_exit;
	__u16 unit; /* bytes of one, where `of` counts elements */
	__u16 max;  /* bytes that are kept */
};

struct loop_call {
	__u8 kept; /* 0: this call is not recorded */
	__u8 n_args;
	__u8 n_probes;
	__u8 executes; /* once it succeeded, memory is another program's */
	__u8 unused[4];
	struct loop_probe probes[LOOP_PARTS];
};

/* ---- whose ring is whose ------------------------------------------------------------ */

/* By slot of the container. */
struct loop_seat {
	__u64 owner;  /* the key's generation << 32 | number of its ring; 0 for a ring: none yet */
	__u64 missed; /* records for which there was no ring */
};

#define LOOP_CLOSED 0xffffffffu /* for a ring: none is to be taken any more */

/*
 * Rings are made in sheaves, each one array map with `cpus` elements for each ring: the kernel
 * takes 15 ms to give a program one more map. Ring N is the (N % LOOP_SHEAF)th of its sheaf.
 */
#define LOOP_SHEAF 16
#define LOOP_SHEAVES 512
#define LOOP_RINGS                                                                    \
	(LOOP_SHEAF * LOOP_SHEAVES) /* their numbers begin with LOOP_SHEAF: 0 is none \
				     */
#define LOOP_SLOTS (G_SLOTS + 1024) /* slots behind those of containers are for other cgroups */
