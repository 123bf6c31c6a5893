// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char cause[sizeof(err->text)];
	va_list ap;
	int n;

	if (!err)
		return code;
	snprintf(cause, sizeof(cause), "%s", err->code && err->text[0] ? err->text : strerror(-code));
	err->code = code;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text) &&
	    snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", cause) < 0)
		err->text[n] = '\0'; /* what does not fit is cut, as the header says */
	return code;
}
