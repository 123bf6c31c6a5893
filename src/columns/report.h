/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report: what a gadget's rows say when taken together. Rows go in, one document comes out when
 * the run, or the record file, ends, or as they come. It is code of the gadget's that runs on the
 * host,
 * gadgets/NAME/NAME.c, and ends with GADGET_REPORT(&name). It knows rows by their schema alone, so
 * it does not matter where they come from: from here, a daemon, or a file.
 *
 * A report's modes stand beside columns, JSON and the like as values of --output, and its first
 * mode is what is shown of such a gadget unless asked otherwise. Its options are flags.
 *
 * Rows may come from a file that somebody made: a field that is missing, or has another kind than
 * the gadget gives it, is the report's to check, as is how much it keeps (MAX_REPORT_… of
 * limits.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/registry.h"
#include "columns/schema.h"

struct report_mode {
	const char *name; /* "oci"; NULL ends the list */
	const char *doc;
};

struct report_option {
	const char *name; /* without dashes, "merge"; NULL ends the list */
	const char *argument;
	const char *doc;
};

struct report {
	const char *gadget; /* "advise_seccomp" */
	const struct report_mode *modes;
	const struct report_option *options; /* NULL: none */
	bool on_request; /* shown where one of its modes is asked for, and not by default */

	/* mode: its name; options: values by name, those that were given. Both outlive the state.
	 */
	int (*open)(const char *mode, const struct labels *options, void **ret, struct err *err);

	/*
	 * One row that has passed the filters, with its clock; -EBADMSG where the schema is not the
	 * gadget's.
	 */
	int (*row)(void *state, const struct schema *s, const struct row *row, struct err *err);

	/*
	 * After the opening and each row: what of the document can be put out now. NULL: nothing
	 * before the end.
	 */
	void (*so_far)(void *state, struct buf *out);

	/* After the last row. lost: records that are missing. */
	int (*write)(void *state, uint64_t lost, struct buf *out, struct err *err);

	void (*close)(void *state); /* NULL is fine */
};

#define GADGET_REPORT(r) REGISTER(ig_reports, struct report, r)
REGISTERED(ig_reports, struct report);

const struct report *report_find(const char *gadget); /* NULL: it has none */
const struct report_mode *report_mode(const struct report *r, const char *name); /* NULL: none */
const struct report_option *report_option(const struct report *r, const char *name);
bool report_mode_known(const char *name); /* to any report */
