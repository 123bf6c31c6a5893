/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of format.c's table that stand in files of their own. */
#pragma once

#include "base/buf.h"
#include "columns/format.h"
#include "columns/types.h"

#define FORMAT_ARGS                                                                   \
	const struct field *f, const struct row *row, const struct clock_base *clock, \
		struct buf *out

/* format_names.c: numbers that have names */
void errno_text(FORMAT_ARGS);
void signal_text(FORMAT_ARGS);
void signal_code_text(FORMAT_ARGS);
void open_flags_text(FORMAT_ARGS);
void enum_text(FORMAT_ARGS);
void ipproto_text(FORMAT_ARGS);
void tcp_state_text(FORMAT_ARGS);
int errno_parse(const struct field *f, const char *word, int64_t *ret);
int signal_parse(const struct field *f, const char *word, int64_t *ret);
int signal_code_parse(const struct field *f, const char *word, int64_t *ret);
int open_flags_parse(const struct field *f, const char *word, int64_t *ret);
int enum_parse(const struct field *f, const char *word, int64_t *ret);
int ipproto_parse(const struct field *f, const char *word, int64_t *ret);
int tcp_state_parse(const struct field *f, const char *word, int64_t *ret);

/* format_kernel.c: system calls and capabilities */
void syscall_text(FORMAT_ARGS);
void capability_text(FORMAT_ARGS);
void capability_set_text(FORMAT_ARGS);
int syscall_parse(const struct field *f, const char *word, int64_t *ret);
int capability_parse(const struct field *f, const char *word, int64_t *ret);
int capability_set_parse(const struct field *f, const char *word, int64_t *ret);

/* format_owners.c: ids of users and groups that have names */
void user_text(FORMAT_ARGS);
void group_text(FORMAT_ARGS);

/* histogram_format.c: histograms, their counts and their units */
const char *unit_name(g_unit unit); /* "": none, or unknown */
/* What such a group holds. False: not there, or out of bounds. */
bool histogram_read(const struct field *group, const struct row *row, struct g_histogram *ret);
void histogram_text(FORMAT_ARGS);
void log2_text(FORMAT_ARGS);
void log2_json(FORMAT_ARGS);
void unit_text(FORMAT_ARGS);
int unit_parse(const struct field *f, const char *word, int64_t *ret);

/* format_dev.c: devices, terminals, addresses */
void dev_text(FORMAT_ARGS);
void tty_text(FORMAT_ARGS);
void file_mode_text(FORMAT_ARGS);
int dev_parse(const struct field *f, const char *word, int64_t *ret);
int tty_parse(const struct field *f, const char *word, int64_t *ret);
void addr_text(FORMAT_ARGS);
int addr_parse(const struct field *f, const char *word, unsigned char *ret);
void endpoint_text(FORMAT_ARGS);

/* True where the group is an endpoint whose version says that it was not filled. */
bool endpoint_absent(const struct field *f, const struct row *row);
