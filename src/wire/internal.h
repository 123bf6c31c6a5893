/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the protocol, for the files of wire/. encoder.h and decoder.h have what either side
 * keeps.
 *
 * Our own client knows more than others by annotations. Of a GadgetInfo: ig.doc, the gadget's text;
 * ig.clock, its struct clock_base. Of a data source: ig.schema, as schema_to_json() has it;
 * ig.kind; ig.sort; ig.container, the payload of compact rows with the whole container; ig.owners,
 * the payload with the names of the record's users and groups, each with a NUL behind it, in the
 * order of their fields. Of a parameter, as a tag: ig.type:bytes.
 */
#pragma once

#include "base/buf.h"
#include "columns/arena.h"
#include "wire/api.pb-c.h"
#include "wire/wire.h"

#define NOTE_DOC "ig.doc"
#define NOTE_CLOCK "ig.clock"
#define NOTE_SCHEMA "ig.schema"
#define NOTE_KIND "ig.kind"
#define NOTE_SORT "ig.sort"
#define NOTE_CONTAINER "ig.container"
#define NOTE_OWNERS "ig.owners"
#define TAG_TYPE "ig.type:"

#define PARAM_PREFIX "operator.oci.ebpf."

enum data_source_type { API_SINGLE = 1, API_ARRAY = 2 };
enum { API_BIG_ENDIAN = 1 };

enum field_flag {
	API_EMPTY = 1,	   /* no data: only a parent */
	API_CONTAINER = 2, /* of static members */
	API_HIDDEN = 4,
	API_HAS_PARENT = 8,
	API_STATIC = 16, /* in payload 0 at offs, of size */
	API_UNREFERENCED = 32,
};

/* Numbers of fields of the messages that rows are in. */
enum { EVENT_SEQ = 2, EVENT_PAYLOAD = 3, EVENT_SOURCE = 4 };
enum { DATA_SEQ = 2, DATA_ELEMENT = 3 }; /* of a GadgetDataArray as well */
enum { ELEMENT_PAYLOAD = 1 };

enum { WIRE_MAX_SOURCES = 64 };

/* Text from outside that may be shown: a new copy with control characters escaped. */
char *wire_shown(const char *text);

/* params.c: parameters of a gadget as messages, in memory of the arena, and back. */
void wire_params_pack(const struct gadget *g, struct arena *a, Api__GadgetInfo *info);
void wire_params_unpack(const Api__GadgetInfo *info, struct wire_gadget *g);

/* Names of enum source_kind, as NOTE_KIND says them. */
extern const char *const wire_kind_names[SOURCE_SNAPSHOT + 1];

/* Names of enum ellipsis, as columns.ellipsis says them. */
extern const char *const wire_ellipses[ELLIPSIS_NONE + 1];
