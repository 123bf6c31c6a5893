// SPDX-License-Identifier: Apache-2.0
#include "base/mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/parse.h"

static bool asks_somebody(const char *type)
{
	static const char *const types[] = {"fuse", "nfs",  "cifs", "smb",
					    "9p",   "ceph", "afs",  "coda"};

	for (size_t i = 0; i < array_size(types); i++)
		if (str_starts(type, types[i]))
			return true;
	return false;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static bool read_line(char *line, struct remote_mount *ret)
{
	char *type = strstr(line, " - ");
	unsigned int major, minor;
	int at = 0;

	if (!type || !asks_somebody(type + 3) ||
	    sscanf(line, "%*s %*s %u:%u %*s %n", &major, &minor, &at) != 2 || !at)
		return false;
	ret->dev = makedev(major, minor);
	ret->mounted = strtok_r(line + at, " ", &type);
	return ret->mounted;
}

bool mounts_next_remote(char **rest, struct remote_mount *ret)
{
	for (char *line; (line = strsep(rest, "\n"));)
		if (read_line(line, ret))
			return true;
	return false;
}
