// SPDX-License-Identifier: Apache-2.0
#include "traceloop/print.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/format.h"
#include "containers/container.h"
#include "traceloop/flags.h"

/* ---- parts ----------------------------------------------------------------------- */

static void put_padded(struct buf *out, uint64_t value, int digits)
{
	char text[20];

	for (int i = digits; i--; value /= 10)
		text[i] = (char)('0' + value % 10);
	buf_add(out, text, (size_t)digits);
}

/* The last second's text is kept: localtime() is dear. */
struct day_time {
	int64_t second;
	char text[16];
	size_t n;
};

static void put_time(struct buf *out, int64_t real_ns, struct day_time *last)
{
	int64_t second = real_ns / 1000000000;
	struct tm tm;

	if (second != last->second || !last->n) {
		time_t t = (time_t)second;

		localtime_r(&t, &tm);
		last->n = strftime(last->text, sizeof(last->text), "%H:%M:%S.", &tm);
		last->second = second;
	}
	buf_add(out, last->text, last->n);
	put_padded(out, (uint64_t)(real_ns % 1000000000), 9);
}

static void put_who(struct buf *out, const struct loop_call_made *c, unsigned int cpu)
{
	const struct loop_record *r = call_record(c);

	buf_str(out, " cpu");
	buf_u64(out, cpu);
	buf_str(out, " [");
	buf_u64(out, r->pid);
	if (r->tid != r->pid) {
		buf_char(out, ':');
		buf_u64(out, r->tid);
	}
	buf_str(out, "] ");
	if (!c->enter)
		return;
	buf_add(out, c->enter->comm, strnlen(c->enter->comm, sizeof(c->enter->comm)));
	buf_char(out, ' ');
}

static void put_name(struct buf *out, const struct loop_call_made *c, const struct syscall *s)
{
	int32_t nr = call_record(c)->nr;

	if (s)
		buf_str(out, s->name);
	else if (nr & LOOP_COMPAT)
		buf_printf(out, "syscall32_%d", nr & ~LOOP_COMPAT);
	else if (nr < 0) /* its own number is gone: rt_sigreturn */
		buf_str(out, "rt_sigreturn");
	else
		buf_printf(out, "syscall_%d", nr);
}

/* An argument of a call that the table does not have. */
static void put_raw(struct buf *out, const struct loop_call_made *c, unsigned int i)
{
	if (c->enter->args[i])
		put_hex(out, c->enter->args[i]);
	else
		buf_char(out, '0');
}

static void put_arg(struct buf *out, const struct loop_call_made *c, const struct syscall *s,
		    unsigned int i, bool returned)
{
	struct value v;

	if (!s)
		put_raw(out, c, i);
	else if (call_value(c, s, i, returned, &v))
		value_put(&v, out);
	else
		buf_char(out, '?');
}

static void put_args(struct buf *out, const struct loop_call_made *c, const struct syscall *s,
		     bool returned)
{
	unsigned int n = call_n_args(c, s);

	buf_char(out, '(');
	for (unsigned int i = 0; i < n; i++) {
		size_t start = out->len;

		buf_str(out, i ? ", " : "");
		put_arg(out, c, s, i, returned);
		if (i && out->len == start + 2)
			out->len = start; /* an argument that this call does not have */
	}
	buf_char(out, ')');
}

static void put_fcntl_result(struct buf *out, const struct loop_call_made *c)
{
	uint64_t command = c->enter ? c->enter->args[1] : 0;

	if (command != F_GETFL && command != F_GETFD) {
		buf_i64(out, c->exit->ret);
		return;
	}
	put_hex(out, (uint64_t)c->exit->ret);
	buf_str(out, " (flags ");
	if (command == F_GETFL)
		put_open_flags(out, (uint64_t)c->exit->ret);
	else
		flags_text(FLAGS_fd_flags, (uint64_t)c->exit->ret, out);
	buf_char(out, ')');
}

static void put_address_result(struct buf *out, const struct loop_call_made *c)
{
	put_hex(out, (uint64_t)c->exit->ret);
}

static void put_mode_result(struct buf *out, const struct loop_call_made *c)
{
	put_mode(out, (uint64_t)c->exit->ret);
}

/* Results that are more than a number. */
static const struct result_kind {
	const char *name;
	void (*put)(struct buf *out, const struct loop_call_made *c);
} result_kinds[] = {
	{"mmap", put_address_result},  {"brk", put_address_result}, {"mremap", put_address_result},
	{"shmat", put_address_result}, {"umask", put_mode_result},  {"fcntl", put_fcntl_result},
};

static void put_success(struct buf *out, const struct loop_call_made *c, const struct syscall *s)
{
	for (size_t i = 0; s && i < array_size(result_kinds); i++)
		if (!strcmp(s->name, result_kinds[i].name)) {
			result_kinds[i].put(out, c);
			return;
		}
	buf_i64(out, c->exit->ret);
}

/* Of include/linux/errno.h: the kernel's own, which a program never sees. */
static const char *restart_name(int64_t error)
{
	static const char *const names[] = {[0] = "ERESTARTSYS",
					    [1] = "ERESTARTNOINTR",
					    [2] = "ERESTARTNOHAND",
					    [4] = "ERESTART_RESTARTBLOCK"};

	return error >= 512 && error - 512 < (int64_t)array_size(names) ? names[error - 512] : NULL;
}

static const char *error_name(int64_t error)
{
	return restart_name(error) ?: strerrorname_np((int)error);
}

static void put_result(struct buf *out, const struct loop_call_made *c, const struct syscall *s)
{
	int64_t ret = c->exit->ret;
	const char *name = call_failed(c) ? error_name(-ret) : NULL;

	if (name && restart_name(-ret)) {
		buf_printf(out, " = ? %s (To be restarted)", name);
	} else if (name) {
		buf_str(out, " = -1 ");
		buf_str(out, name);
		buf_str(out, " (");
		buf_str(out, strerrordesc_np((int)-ret));
		buf_char(out, ')');
	} else {
		buf_str(out, " = ");
		put_success(out, c, s);
	}
}

static uint64_t latency(const struct loop_call_made *c)
{
	uint64_t from = c->enter ? c->enter->record.time : UINT64_MAX;

	return c->exit && c->exit->record.time > from ? c->exit->record.time - from : 0;
}

static void put_latency(struct buf *out, const struct loop_call_made *c)
{
	uint64_t us = latency(c) / 1000;

	if (!c->enter)
		return;
	buf_str(out, " <");
	buf_u64(out, us / 1000000);
	buf_char(out, '.');
	put_padded(out, us % 1000000, 6);
	buf_char(out, '>');
}

/* ---- windows --------------------------------------------------------------------- */

const struct loop_window loop_whole = {.until = UINT64_MAX, .last = true};

/* No record has the time 0. */
static bool is_in(const struct loop_window *w, const struct loop_record *r)
{
	return r->time > w->after && r->time <= w->until;
}

/* Its entry and exit are one line. */
static bool is_one_line(const struct loop_window *w, const struct loop_call_made *c)
{
	return c->joined && is_in(w, &c->enter->record) && is_in(w, &c->exit->record);
}

/* Nothing more will be known of it than in this window. */
static bool is_complete(const struct loop_window *w, const struct loop_call_made *c)
{
	if (c->exit && (c->exit->record.time <= w->until || !c->enter))
		return is_in(w, &c->exit->record);
	return call_never_returns(c) ? is_in(w, &c->enter->record) : w->last;
}

/* ---- text ------------------------------------------------------------------------ */

static void print_event(const struct loop_dump *d, const struct loop_event *e,
			const struct loop_window *w, int64_t to_real, struct day_time *last,
			struct buf *out)
{
	const struct loop_call_made *c = &d->calls[e->call];
	const struct syscall *s = call_syscall(c);
	bool begins = e->record->kind == LOOP_ENTER, one_line = is_one_line(w, c);
	bool ends = !begins || one_line;

	if (!is_in(w, e->record) || (!begins && one_line))
		return; /* said with its entry */
	put_time(out, (int64_t)e->record->time + to_real, last);
	put_who(out, c, e->cpu);
	buf_str(out, begins ? "" : "... ");
	put_name(out, c, s);
	put_args(out, c, s, ends);
	if (ends) {
		put_result(out, c, s);
		put_latency(out, c);
	} else {
		buf_str(out, call_never_returns(c) ? " = ?" : " ...");
	}
	buf_char(out, '\n');
}

void loop_print_text(const struct loop_dump *d, const struct loop_window *w,
		     const struct clock_base *clock, struct buf *out)
{
	struct day_time last = {0};

	for (size_t i = 0; i < d->n_events && !out->failed; i++)
		print_event(d, &d->events[i], w, clock->boot_to_real_ns, &last, out);
}

void loop_print_counts_text(const struct loop_counts *n, struct buf *out)
{
	if (n->overwritten)
		buf_printf(out, "# %" PRIu64 " older records were overwritten\n", n->overwritten);
	if (n->lost)
		buf_printf(out, "# %" PRIu64 " records were lost\n", n->lost);
}

void loop_print_counts_json(const struct loop_counts *n, struct buf *out)
{
	buf_printf(out,
		   "{\"ig\":{\"event\":\"traceloop\",\"kept\":%" PRIu64 ",\"overwritten\":%" PRIu64
		   ",\"lost\":%" PRIu64 "}}\n",
		   n->kept, n->overwritten, n->lost);
}

/* ---- JSON ------------------------------------------------------------------------ */

static void put_json_text(struct buf *out, const char *key, const char *text)
{
	if (!text)
		return;
	buf_str(out, out->data[out->len - 1] == '{' ? "\"" : ",\"");
	buf_str(out, key);
	buf_str(out, "\":");
	json_quote(out, text, strlen(text));
}

/* The members that say whose calls they are. */
static void put_container(struct buf *out, const struct container *c)
{
	buf_str(out, ",\"runtime\":{");
	put_json_text(out, "containerName", c->name);
	put_json_text(out, "containerId", c->id);
	buf_char(out, '}');
	if (!c->k8s_pod)
		return;
	buf_str(out, ",\"k8s\":{");
	put_json_text(out, "namespace", c->k8s_namespace);
	put_json_text(out, "podName", c->k8s_pod);
	put_json_text(out, "containerName", c->k8s_container);
	buf_char(out, '}');
}

static void put_json_value(struct buf *out, const struct loop_call_made *c, const struct syscall *s,
			   unsigned int i, struct buf *text)
{
	struct value v;

	if (s && call_value(c, s, i, true, &v) && value_is_bytes(&v)) {
		json_quote(out, v.bytes, v.size);
		buf_str(out, v.cut ? ",\"truncated\":true" : "");
		return;
	}
	buf_clear(text);
	put_arg(text, c, s, i, true);
	json_quote(out, text->data ?: "", text->len);
}

static void put_parameters(struct buf *out, const struct loop_call_made *c, const struct syscall *s,
			   struct buf *text)
{
	unsigned int n = call_n_args(c, s);

	buf_str(out, ",\"parameters\":[");
	for (unsigned int i = 0; i < n; i++) {
		buf_str(out, i ? ",{\"name\":" : "{\"name\":");
		if (s)
			json_quote(out, s->args[i].name, strlen(s->args[i].name));
		else
			buf_printf(out, "\"arg%u\"", i);
		buf_str(out, ",\"value\":");
		put_json_value(out, c, s, i, text);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void put_json_result(struct buf *out, const struct loop_call_made *c)
{
	const char *error = call_failed(c) ? error_name(-c->exit->ret) : NULL;

	if (!c->exit) {
		buf_str(out, ",\"ret\":null");
		return;
	}
	buf_str(out, ",\"ret\":");
	buf_i64(out, c->exit->ret);
	if (error)
		buf_printf(out, ",\"error\":\"%s\"", error);
	if (c->enter) {
		buf_str(out, ",\"latency\":");
		buf_u64(out, latency(c));
	}
}

static void print_call(const struct loop_call_made *c, int64_t to_real, const struct container *of,
		       struct buf *text, struct buf *out)
{
	const struct loop_record *r = call_record(c);
	const struct syscall *s = call_syscall(c);
	char time[30];

	buf_str(out, "{\"timestamp\":\"");
	put_rfc3339(time, (int64_t)r->time + to_real);
	buf_add(out, time, sizeof(time));
	buf_str(out, "\",\"cpu\":");
	buf_u64(out, c->cpu);
	buf_str(out, ",\"pid\":");
	buf_u64(out, r->pid);
	buf_str(out, ",\"tid\":");
	buf_u64(out, r->tid);
	if (c->enter) {
		buf_str(out, ",\"comm\":");
		json_quote(out, c->enter->comm, strnlen(c->enter->comm, sizeof(c->enter->comm)));
	}
	buf_str(out, ",\"syscall\":\"");
	put_name(out, c, s);
	buf_char(out, '"');
	put_parameters(out, c, s, text);
	put_json_result(out, c);
	if (of)
		put_container(out, of);
	buf_str(out, "}\n");
}

void loop_print_json(const struct loop_dump *d, const struct loop_window *w,
		     const struct clock_base *clock, const struct container *c, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = {.max = 65536};

	for (size_t i = 0; i < d->n_calls && !out->failed; i++)
		if (is_complete(w, &d->calls[i]))
			print_call(&d->calls[i], clock->boot_to_real_ns, c, &text, out);
}
