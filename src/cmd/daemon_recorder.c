// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon_recorder.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/recorder_flags.h"

static const char *opt_record;

static const struct flag flags[] = {
	{"record", 0, "LIST",
	 "Record these gadgets of every container in its ring; see `ig record`", flag_text,
	 &opt_record, NULL},
	{0},
};
const struct flag_table daemon_recorder_flags = {"Recording", flags};

static void say(void *ctx, const char *text)
{
	log_info("recorder: %s", text);
}

static void fault(void *ctx, const char *text)
{
	log_error("recorder: %s", text);
}

static int add(struct recording *r, const char *name, struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	struct gadget *g;
	int code = gadget_open_builtin(name, &with_names, &g, err);

	return code ?: recording_add(r, g, err);
}

static int add_all(struct recording *r, struct err *err)
{
	_cleanup_(freep) char **names = NULL;
	size_t n = split(opt_record, ',', false, &names);
	int code = 0;

	for (size_t i = 0; !code && i < n; i++)
		code = *names[i] ? add(r, names[i], err) : 0;
	return code;
}

int daemon_recorder_start(struct manager *m, const char *dir, struct recording **ret,
			  struct err *err)
{
	struct recording_options o;
	struct recording *r;
	int code;

	*ret = NULL;
	if (!opt_record || !*opt_record)
		return 0;
	recorder_flags_options(&o);
	o.dir = dir;
	o.say = say;
	o.fault = fault;
	if (!dir)
		o.dump_on = o.dump_when = NULL;
	code = recording_new(manager_reactor(m), manager_traces(m), &o, &r, err);
	if (code)
		return code;
	code = add_all(r, err);
	code = code ?: recording_start(r, err);
	if (code)
		recording_free(r);
	else
		*ret = r;
	return code;
}
