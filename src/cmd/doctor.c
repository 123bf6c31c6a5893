// SPDX-License-Identifier: Apache-2.0
/*
 * ig doctor: which gadgets work on this kernel, by which hooks, and what they cannot tell here.
 * Each is loaded and attached for a moment, so that what is said was tried.
 */
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
#include "gadget/fit.h"
#include "gadget/gadget.h"

#define MAX_TEXT (16u << 10)

static struct {
	bool hooks;
	const char **gadgets; /* none: all built-in ones */
	size_t n_gadgets, room;
} opt;

static const struct flag flag_list[] = {
	{"hooks", 0, NULL, "A row for each program: its hook, and whether it is used", flag_on,
	 &opt.hooks, NULL},
	{0},
};
static const struct flag_table own_flags = {"Doctor", flag_list};

static int add_gadget(void *ctx, const char *word, struct err *err)
{
	*grow(&opt.gadgets, &opt.n_gadgets, &opt.room) = word;
	return 0;
}

/* ---- rows -------------------------------------------------------------------------------- */

struct doctor_row {
	const char *gadget, *works, *hooks, *cannot_tell, *reason, *limits;
};

struct hook_row {
	const char *gadget, *program, *hook, *target, *purpose, *cannot_tell;
	uint64_t rung;
	bool optional, exists, used;
};

#define TEXT_OF(row_, member_, name_, doc_, width_)                                           \
	{                                                                                     \
		.name = name_, .doc = doc_, .kind = KIND_CSTR, .parent = -1, .width = width_, \
		.offset = offsetof(struct row_, member_), .size = sizeof(const char *)        \
	}
#define BOOL_OF(member_, name_, doc_, width_)                                                 \
	{                                                                                     \
		.name = name_, .doc = doc_, .kind = KIND_BOOL, .parent = -1, .width = width_, \
		.offset = offsetof(struct hook_row, member_), .size = sizeof(bool)            \
	}
static const struct field gadget_fields[] = {
	TEXT_OF(doctor_row, gadget, "gadget", "Name for `ig run`", 18),
	TEXT_OF(doctor_row, works, "works", "yes; in part: see cannotTell; no: see reason", 7),
	TEXT_OF(doctor_row, hooks, "hooks", "Of several ways to the same, the one taken here", 40),
	TEXT_OF(doctor_row, cannot_tell, "cannotTell", "What it cannot tell on this kernel", 50),
	TEXT_OF(doctor_row, reason, "reason", "Why", 50),
	{.name = "limits",
	 .doc = "What it cannot tell on any kernel",
	 .kind = KIND_CSTR,
	 .parent = -1,
	 .width = 50,
	 .flags = FIELD_HIDDEN,
	 .offset = offsetof(struct doctor_row, limits),
	 .size = sizeof(const char *)},
};
static const struct field hook_fields[] = {
	TEXT_OF(hook_row, gadget, "gadget", "Name for `ig run`", 18),
	TEXT_OF(hook_row, program, "program", "The program's function", 18),
	TEXT_OF(hook_row, hook, "hook", "Kind of hook", 14),
	TEXT_OF(hook_row, target, "target", "What it hangs on", 34),
	TEXT_OF(hook_row, purpose, "purpose", "One of several ways to this", 10),
	{.name = "rung",
	 .doc = "The lowest of a purpose that the kernel has is taken",
	 .kind = KIND_UINT,
	 .parent = -1,
	 .width = 4,
	 .flags = FIELD_SKIP_EMPTY,
	 .offset = offsetof(struct hook_row, rung),
	 .size = sizeof(uint64_t)},
	BOOL_OF(optional, "optional", "The gadget does without it", 8),
	BOOL_OF(exists, "exists", "This kernel has the hook", 6),
	BOOL_OF(used, "used", "The program is loaded here", 5),
	TEXT_OF(hook_row, cannot_tell, "cannotTell",
		"Without it (optional), or with it (one of several), the gadget cannot tell", 50),
};

/* ---- one gadget -------------------------------------------------------------------------- */

struct examined {
	const struct gadget *g;
	struct own_rows *rows;
	struct buf hooks, cannot_tell, reason;
	const char *purpose; /* of the last program, while they are gathered */
};

/* Once each. */
static void join(struct buf *b, const char *separator, const char *text)
{
	if (b->len && strstr(buf_cstr(b), text))
		return;
	buf_printf(b, "%s%s", b->len ? separator : "", text);
}

static void gather(void *ctx, const struct gadget_program *p)
{
	struct examined *x = ctx;
	bool less = p->group ? p->used : p->optional && !p->exists;

	if (p->group && p->used) {
		bool same = x->purpose && !strcmp(x->purpose, p->group);
		_cleanup_(freep) char *way =
			same ? xasprintf("%s %s", p->hook, p->target)
			     : xasprintf("%s: %s %s", p->group, p->hook, p->target);

		join(&x->hooks, same ? ", " : "; ", way);
		x->purpose = p->group;
	}
	if (!less || !p->cannot_tell)
		return;
	join(&x->cannot_tell, "; ", p->cannot_tell);
	if (!p->group) {
		_cleanup_(freep) char *why = xasprintf("no %s %s", p->hook, p->target);

		join(&x->reason, "; ", why);
	}
}

/* Why a better rung than the one taken is not there: its hooks that the kernel lacks. */
static void gather_better(void *ctx, const struct gadget_program *p)
{
	struct examined *x = ctx;
	_cleanup_(freep) char *why = NULL;

	if (!p->group || p->exists || !x->cannot_tell.len)
		return;
	why = xasprintf("no %s %s", p->hook, p->target);
	join(&x->reason, "; ", why);
}

static void hook_row(void *ctx, const struct gadget_program *p)
{
	struct examined *x = ctx;

	own_row(x->rows, &(struct hook_row){
				 .gadget = gadget_name(x->g),
				 .program = p->name,
				 .hook = p->hook,
				 .target = p->target,
				 .purpose = p->group,
				 .cannot_tell = p->cannot_tell,
				 .rung = p->rung,
				 .optional = p->optional,
				 .exists = p->exists,
				 .used = p->used,
			 });
}

/* 0: it was loaded and attached. */
static int try(struct gadget *g, struct err *err)
{
	struct gadget_load_options o;
	int r;

	gadget_load_options_init(&o);
	r = gadget_load(g, &o, err);
	r = r ?: gadget_attach(g, err);
	gadget_detach(g);
	return r;
}

static int examine(struct examined *x, struct gadget *g, struct err *err)
{
	struct err refused = {0};
	int r = gadget_each_program(g, true, gather, x, err);
	bool works = !r && !try(g, &refused);

	r = r ?: gadget_each_program(g, true, gather_better, x, err);
	if (r)
		return r;
	if (!works) {
		buf_clear(&x->reason);
		buf_clear(&x->hooks);
		buf_clear(&x->cannot_tell);
		buf_str(&x->reason, refused.text);
	}
	own_row(x->rows, &(struct doctor_row){
				 .gadget = gadget_name(g),
				 .works = !works	       ? "no"
					  : x->cannot_tell.len ? "in part"
							       : "yes",
				 .hooks = buf_cstr(&x->hooks),
				 .cannot_tell = buf_cstr(&x->cannot_tell),
				 .reason = buf_cstr(&x->reason),
				 .limits = gadget_limits(g),
			 });
	return 0;
}

static int one(struct own_rows *rows, const char *name, struct err *err)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct examined x = {.rows = rows};
	int r = gadget_open(name, NULL, &g, err);

	if (r)
		return r;
	x.g = g;
	if (opt.hooks)
		return gadget_each_program(g, true, hook_row, &x, err);
	buf_init(&x.hooks, MAX_TEXT);
	buf_init(&x.cannot_tell, MAX_TEXT);
	buf_init(&x.reason, MAX_TEXT);
	r = examine(&x, g, err);
	buf_done(&x.hooks);
	buf_done(&x.cannot_tell);
	buf_done(&x.reason);
	return r;
}

/* ---- the command ------------------------------------------------------------------------- */

static int all(struct own_rows *rows, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < opt.n_gadgets; i++)
		r = one(rows, opt.gadgets[i], err);
	for (size_t i = 0; !r && !opt.n_gadgets && i < gadget_builtin_count(); i++)
		r = one(rows, gadget_builtin(i)->name, err);
	return r;
}

static int diagnose(struct err *err)
{
	struct own_rows rows = {0};
	int r;

	if (geteuid())
		return err_set(err, -EPERM, "asking the kernel for its hooks needs root");
	r = opt.hooks ? own_rows_open(&rows, VIEW_TABLE_ONCE, "hooks", hook_fields,
				      array_size(hook_fields), sizeof(struct hook_row), err)
		      : own_rows_open(&rows, VIEW_TABLE_ONCE, "gadgets", gadget_fields,
				      array_size(gadget_fields), sizeof(struct doctor_row), err);
	r = r ?: all(&rows, err);
	r = r ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	return r;
}

static int doctor_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("doctor"));
	flags.word = add_gadget;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = diagnose(&err);
	free(opt.gadgets);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static void complete(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
}

static const struct flag_table *const tables[] = {&own_flags, &view_flags, NULL};
static const struct command doctor = {
	.name = "doctor",
	.summary = "Tell which gadgets work on this kernel, and what they cannot tell here",
	.usage = "[GADGET…] [FLAGS]",
	.description =
		"Each gadget is loaded and attached for a moment. Where it has several ways to the "
		"same (another hook on another kernel), the one that is taken here is said.",
	.tables = tables,
	.run = doctor_main,
	.complete = complete,
};
COMMAND(&doctor);
