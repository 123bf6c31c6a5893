// SPDX-License-Identifier: Apache-2.0
#include "traceloop/kinds.h"

#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

#include "traceloop/flags.h"
#include "traceloop/kernel_structs.h"

/* A function for each set of names. */
#define SET(name, zero, field, names)                                   \
	void value_flags_##name(const struct value *v, struct buf *out) \
	{                                                               \
		flags_text(FLAGS_##name, (uint32_t)value_raw(v), out);  \
	}
#define F(value)
#define N(value, name)
#include "traceloop/flags.def"
#undef SET
#undef F
#undef N

#define NOTHING   \
	{         \
		0 \
	}
#define TEXT                                      \
	{                                         \
		LOOP_PROBE_TEXT, .max = LOOP_TEXT \
	}
#define EXEC                                                    \
	{                                                       \
		LOOP_PROBE_EXEC, .at_exit = 1, .max = LOOP_TEXT \
	}
#define BYTES                                                   \
	{                                                       \
		LOOP_PROBE_BYTES, KEEP_OF_ARG, 0, 1, LOOP_BYTES \
	}
#define BYTES_OUT                                               \
	{                                                       \
		LOOP_PROBE_BYTES, KEEP_OF_ARG, 1, 1, LOOP_BYTES \
	}
#define RESULT                                                     \
	{                                                          \
		LOOP_PROBE_BYTES, LOOP_OF_RESULT, 1, 1, LOOP_BYTES \
	}
#define IN(type)                                                               \
	{                                                                      \
		LOOP_PROBE_BYTES, LOOP_OF_CONST, 0, sizeof(type), sizeof(type) \
	}
#define OUT(type)                                                              \
	{                                                                      \
		LOOP_PROBE_BYTES, LOOP_OF_CONST, 1, sizeof(type), sizeof(type) \
	}
#define MANY(type)                                                                       \
	{                                                                                \
		LOOP_PROBE_BYTES, KEEP_OF_ARG, 0, sizeof(type), LOOP_MANY * sizeof(type) \
	}
#define MANY_OUT(type)                                                                      \
	{                                                                                   \
		LOOP_PROBE_BYTES, LOOP_OF_RESULT, 1, sizeof(type), LOOP_MANY * sizeof(type) \
	}
#define VECTOR                                       \
	{                                            \
		LOOP_PROBE_VECTOR, .max = LOOP_BYTES \
	}
#define VECTOR_OUT                                                 \
	{                                                          \
		LOOP_PROBE_VECTOR, .at_exit = 1, .max = LOOP_BYTES \
	}
#define MESSAGE                                       \
	{                                             \
		LOOP_PROBE_MESSAGE, .max = LOOP_BYTES \
	}
#define MESSAGE_OUT                                                 \
	{                                                           \
		LOOP_PROBE_MESSAGE, .at_exit = 1, .max = LOOP_BYTES \
	}

const struct arg_form kinds[] = {
#define FLAGS(set) value_flags_##set
#define KIND(name, text, kept) [ARG_##name] = {kept, text},
#include "traceloop/kinds.def"
};
