/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks for when it asks for a gadget: a name and parameters by their keys, all text,
 * so that it can be sent, stored and run again. Keys are those of the ecosystem's clients:
 *
 *   operator.oci.ebpf.NAME                  a parameter of the gadget
 *   operator.LocalManager.…, .KubeManager.… which containers
 *   operator.ig.NAME                        what only ig knows; NAME as the flag of `ig run`
 *
 * Clients send keys of operators that are theirs alone; what is not known is left out of account.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/schema.h"
#include "containers/selector.h"
#include "gadget/gadget.h"

struct run_spec {
	char *image; /* as given: "trace_open", "HOST/gadget/trace_open:latest" */
	struct labels params;
	uint64_t timeout_ns; /* 0: none */
};

void run_spec_copy(struct run_spec *to, const struct run_spec *from);
void run_spec_done(struct run_spec *s);

/* The gadget's name in an image's: without registry, tag and digest; a new string. */
char *run_spec_gadget(const char *image);

/* A spec, understood. */
struct run_plan {
	struct gadget *gadget; /* with its parameters set; taken by who runs it */
	struct selector *selector;
	const char *tracer; /* run within this tracer, by id; NULL: none; the spec's */
	uint64_t interval_ns;
	struct gadget_load_options load;
};

/*
 * Opens the gadget and sets what params say. -ENOENT: no such gadget or parameter; -EINVAL: not a
 * value. The spec must outlive the plan.
 */
int run_plan_make(const struct run_spec *s, struct run_plan *ret, struct err *err);
void run_plan_done(struct run_plan *p);
