/* SPDX-License-Identifier: Apache-2.0 */
/* What pprof.c (from rows to numbers) and pprof_write.c (from numbers to the file) share. */
#pragma once

#include "base/buf.h"
#include "columns/arena.h"
#include "columns/intern.h"
#include "columns/pprof.h"

/* These are what struct intern has: no padding in them. Strings are numbers, ids count from 1. */

struct pprof_type {
	int64_t name, unit;
};

struct pprof_file {
	int64_t path, build_id;
};

struct pprof_function {
	int64_t name, file;
};

struct pprof_place {
	uint64_t file, function; /* ids; 0: not known */
	uint64_t address;	 /* where the function is not known */
};

enum { PPROF_PLACES = 256 };

struct pprof_sample {
	int64_t container, pod, namespace, node, comm;
	int64_t pid;
	uint64_t n_places;
	uint64_t places[PPROF_PLACES]; /* ids, outermost first; as many as there are */
};

struct pprof_sums {
	int64_t of[PPROF_VALUES];
};

struct pprof {
	struct arena arena;
	struct intern strings, files, functions, places, samples;
	struct pprof_sums *sums; /* of each sample */
	size_t n_sums;		 /* room */
	struct pprof_type types[PPROF_VALUES];
	unsigned int n_types;
	uint64_t refused;
	struct buf text; /* scratch */
};

int64_t pprof_string(struct pprof *p, const char *s, size_t len);
