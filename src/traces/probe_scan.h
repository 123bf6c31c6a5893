/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for the libraries of containers and attaches a gadget's probes to them, in a child process:
 * files of containers may be hostile, their file systems may never answer, and the kernel takes
 * some milliseconds for each probe. What the child finds it tells its parent in words through a
 * socket, each with the descriptor that it is about.
 *
 * Looked at are: the usual folders of libraries below the container's root, files that its
 * processes have mapped, wherever they lie, and the programs that the gadget's parameter `binary`
 * names (a list with commas). A file that several containers have is attached to once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gadget;

/* A container, or the host. */
struct probe_place {
	uint64_t key;
	uint64_t mntns;
	uint32_t pid; /* of a process in it, if that has not ended */
	bool host;
};

/* A file that has its probes. */
struct probe_file {
	uint64_t id;
	int fd;
};

struct probe_scan {
	const struct gadget *gadget;
	int proc;   /* the host's /proc */
	int socket; /* SOCK_SEQPACKET */
	const struct probe_place *places;
	size_t n_places;
	struct probe_file *files; /* those that are known; grows */
	size_t n_files, room_files;
	uint64_t next_id; /* of a new file */
};

enum probe_word_kind {
	PROBE_READY,   /* the child has no descriptors but its own */
	PROBE_FILE,    /* a new file; with its descriptor */
	PROBE_OPENED,  /* a probe of that file; with its descriptors */
	PROBE_REFUSED, /* a probe of that file: error */
	PROBE_USES,    /* the place has that file */
	PROBE_DONE,    /* the place was looked at */
};

struct probe_word {
	uint32_t kind;
	int32_t error;
	uint64_t place; /* its key */
	uint64_t file;	/* its id */
	bool rooted;	/* PROBE_DONE: it had a root of its own already */
};

/* Does it, and ends the process. */
_Noreturn void probe_scan_run(struct probe_scan *s);

/*
 * Receives a word and up to two descriptors, -1 where it has none. 0: the child has ended; -EAGAIN;
 * else 1.
 */
int probe_scan_hear(int socket, struct probe_word *ret, int ret_fds[2]);
