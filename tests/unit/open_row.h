/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record like trace_open's, with a container, for the tests and the bench of columns/: the struct
 * that a gadget would fill, its schema, and one row of it.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "columns/schema.h"
#include "columns/types.h"

struct open_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_errno error;
	g_fd fd;
	g_open_flags flags;
	g_file_mode mode;
	g_duration latency;
	g_bytes size;
	struct g_endpoint peer;
	g_text path;
	g_args args;
};

struct open_record {
	struct open_event event;
	char tail[512];
	uint32_t used; /* bytes of the tail */
};

/* What enriches it; the program's own struct, with pointers. */
struct test_container {
	const char *name, *id, *image;
	uint64_t cgroup_id;
	uint32_t pid;
	struct labels labels;
};

#define OPEN_FIELD(member, name_, kind_, type_, ...)                          \
	{                                                                     \
		.name = name_, .type = type_, .kind = kind_,                  \
		.offset = offsetof(struct open_event, member),                \
		.size = sizeof(((struct open_event *)0)->member), __VA_ARGS__ \
	}
#define CONTAINER_FIELD(member, name_, kind_, ...)                                \
	{                                                                         \
		.name = name_, .kind = kind_, .part = PART_CONTAINER,             \
		.offset = offsetof(struct test_container, member),                \
		.size = sizeof(((struct test_container *)0)->member), __VA_ARGS__ \
	}

static inline struct schema *open_schema(void)
{
	static const struct field fields[] = {
		OPEN_FIELD(timestamp, "timestamp", KIND_UINT, "g_time"),
		OPEN_FIELD(container, "container", KIND_UINT, "g_container"),
		OPEN_FIELD(proc, "proc", KIND_NONE, "g_process"),
		OPEN_FIELD(proc.comm, "proc.comm", KIND_CHARS, "g_comm"),
		OPEN_FIELD(proc.pid, "proc.pid", KIND_UINT, "g_pid"),
		OPEN_FIELD(proc.tid, "proc.tid", KIND_UINT, "g_pid"),
		OPEN_FIELD(proc.creds, "proc.creds", KIND_NONE, "g_creds"),
		OPEN_FIELD(proc.creds.uid, "proc.creds.uid", KIND_UINT, "g_uid"),
		OPEN_FIELD(proc.creds.gid, "proc.creds.gid", KIND_UINT, "g_gid"),
		OPEN_FIELD(proc.parent, "proc.parent", KIND_NONE, "g_parent"),
		OPEN_FIELD(proc.parent.comm, "proc.parent.comm", KIND_CHARS, "g_comm"),
		OPEN_FIELD(proc.parent.pid, "proc.parent.pid", KIND_UINT, "g_pid"),
		OPEN_FIELD(proc.mntns_id, "proc.mntns_id", KIND_UINT, "g_mntns"),
		OPEN_FIELD(error, "error", KIND_INT, "g_errno", .doc = "Error, if the open failed"),
		OPEN_FIELD(fd, "fd", KIND_INT, "g_fd"),
		OPEN_FIELD(flags, "flags", KIND_UINT, "g_open_flags", .flags = FIELD_HIDDEN),
		OPEN_FIELD(mode, "mode", KIND_UINT, "g_file_mode", .flags = FIELD_HIDDEN),
		OPEN_FIELD(latency, "latency", KIND_UINT, "g_duration", .flags = FIELD_HIDDEN),
		OPEN_FIELD(size, "size", KIND_UINT, "g_bytes",
			   .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY),
		OPEN_FIELD(peer, "peer", KIND_NONE, "g_endpoint", .flags = FIELD_HIDDEN),
		OPEN_FIELD(peer.addr, "peer.addr", KIND_BYTES, "g_addr"),
		OPEN_FIELD(peer.port, "peer.port", KIND_UINT, "g_port"),
		OPEN_FIELD(peer.proto, "peer.proto", KIND_UINT, "g_ipproto"),
		OPEN_FIELD(peer.version, "peer.version", KIND_UINT, "__u8"),
		OPEN_FIELD(path, "path", KIND_TEXT, "g_text", .width = 32),
		OPEN_FIELD(args, "args", KIND_LIST, "g_args",
			   .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY),
		CONTAINER_FIELD(name, "runtime.containerName", KIND_CSTR),
		CONTAINER_FIELD(id, "runtime.containerId", KIND_CSTR, .flags = FIELD_HIDDEN),
		CONTAINER_FIELD(image, "runtime.containerImageName", KIND_CSTR,
				.flags = FIELD_HIDDEN),
		CONTAINER_FIELD(pid, "runtime.containerPid", KIND_UINT, .flags = FIELD_HIDDEN),
		CONTAINER_FIELD(cgroup_id, "runtime.cgroupId", KIND_UINT, .flags = FIELD_HIDDEN),
		CONTAINER_FIELD(labels, "k8s.podLabels", KIND_LABELS,
				.flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY),
	};
	struct schema *s = schema_new("trace_open", "open", sizeof(struct open_event));
	struct err err = {0};

	if (schema_add_table(s, fields, sizeof(fields) / sizeof(*fields), &err) ||
	    schema_finish(s, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return schema_unref(s);
	}
	return s;
}

static inline void open_text(struct open_record *r, g_text *to, const char *bytes, size_t len)
{
	*to = (g_text){.offset = (uint32_t)(offsetof(struct open_record, tail) + r->used),
		       .length = (uint32_t)len};
	memcpy(r->tail + r->used, bytes, len);
	r->used += (uint32_t)len;
}

static inline struct test_container test_container(void)
{
	return (struct test_container){
		.name = "web",
		.id = "3c4f2a7f0f2b7d3d2f6c4c6f6a1d6a0b1c2d3e4f5061728394a5b6c7d8e9fa0b",
		.image = "docker.io/library/nginx:1.25",
		.cgroup_id = 8123,
		.pid = 4711,
	};
}

/* app.kubernetes.io/name=shop, tier=front, empty= */
static inline struct labels test_labels(void)
{
	static struct label items[] = {
		{"app.kubernetes.io/name", "shop"},
		{"tier", "front"},
		{"empty", ""},
	};

	return (struct labels){.items = items, .n = sizeof(items) / sizeof(*items)};
}

static inline void open_fill(struct open_record *r)
{
	static const char path[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";

	*r = (struct open_record){
		.event = {
			.timestamp = 1000000000123456789,
			.container = 1,
			.proc = {.comm = "nginx",
				 .pid = 1234,
				 .tid = 1235,
				 .creds = {.uid = 33, .gid = 33},
				 .parent = {.comm = "containerd-shim", .pid = 1000},
				 .mntns_id = 4026532567},
			.fd = 5,
			.flags = 02000000,
			.mode = 0644,
			.latency = 1234567,
			.size = 4096,
		}};
	open_text(r, &r->event.path, path, sizeof(path) - 1);
}

static inline struct row open_row(const struct open_record *r, const struct test_container *c)
{
	return (struct row){
		.part = {&r->event, c},
		.size = {(uint32_t)offsetof(struct open_record, tail) + r->used,
			 c ? sizeof(*c) : 0},
	};
}
