// SPDX-License-Identifier: Apache-2.0
/* ig stop: a daemon's instances end, and what was kept of them goes. */
#include "cmd/remote_command.h"
#include "wire/api.pb-c.h"

static int stop_one(struct remote *r, const char *id, struct err *err)
{
	Api__GadgetInstanceId request = API__GADGET_INSTANCE_ID__INIT;
	Api__StatusResponse *m;
	int code = 0;

	request.id = (char *)id;
	m = remote_ask(r, "/api.GadgetInstanceManager/RemoveGadgetInstance", &request.base,
		       &api__status_response__descriptor, err);
	if (!m)
		return err->code;
	if (m->result)
		code = err_set(err, -EIO, "%s", m->message);
	api__status_response__free_unpacked(m, NULL);
	return code;
}

/* All that can be stopped are; the first fault is what is told. */
static int stop(struct remote *r, const struct words *ids, struct err *err)
{
	struct err first = {0};

	for (size_t i = 0; i < ids->n; i++)
		if (stop_one(r, ids->items[i], err) && !first.code)
			first = *err;
	*err = first;
	return first.code;
}

static int stop_main(int argc, char **argv)
{
	return remote_command("stop", argc, argv, "an instance; `ig ps` lists them", stop);
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command command = {
	.name = "stop",
	.summary = "End gadgets that run at a daemon on their own",
	.usage = "NAME|ID… [FLAGS]",
	.tables = tables,
	.run = stop_main,
};
COMMAND(&command);
