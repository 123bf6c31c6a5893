// SPDX-License-Identifier: Apache-2.0
#include "cmd/show_flags.h"

static struct show_options opt;

static const struct flag flags[] = {
	{"timeout", 't', "TIME", "Stop after so many seconds (or 500ms, 2m …)", flag_duration,
	 &opt.timeout_ns, NULL},
	{"record", 'r', "FILE",
	 "Also write the records that pass the filters to FILE, for replay; of tables all rows",
	 flag_text, &opt.record, NULL},
	{"append", 0, NULL, "With --record: behind what FILE has", flag_on, &opt.append, NULL},
	{"totals", 0, NULL, "At the end, show the totals of each container, however many there are",
	 flag_on, &opt.all_totals, NULL},
	{0},
};
const struct flag_table show_flags = {"End and record file", flags};

const struct show_options *show_flags_options(void)
{
	return &opt;
}

int show_flags_check(struct err *err)
{
	return opt.append && !opt.record ? err_set(err, -EINVAL, "--append goes with --record") : 0;
}
