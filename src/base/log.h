/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr in logfmt: `level=warn msg="…" key=value`. Libraries return errors and do
 * not log; commands and the daemon log each failure once. The level is the process's only mutable
 * global.
 */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level; /* lines above it are left out; LOG_WARN at first */

int log_level_parse(const char *name, enum log_level *ret); /* error, warn, info, debug; -EINVAL */

/*
 * fmt is the message, which is quoted as needed. Control characters, such as those of a container's
 * name, come out escaped: a log line never carries a terminal escape.
 */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
