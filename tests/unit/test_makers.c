// SPDX-License-Identifier: Apache-2.0
/* Bundles of runtimes that are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "containers/makers.h"

static void the_last_are_known(void **state)
{
	struct makers m = {0};
	char bundle[32];

	assert_null(makers_bundle(&m, 0));
	for (uint32_t pid = 1; pid <= MAX_MAKERS + 1; pid++) {
		snprintf(bundle, sizeof(bundle), "/b/%u", pid);
		makers_note(&m, pid, bundle);
	}
	assert_null(makers_bundle(&m, 1)); /* pushed out */
	assert_string_equal(makers_bundle(&m, 2), "/b/2");
	assert_string_equal(makers_bundle(&m, MAX_MAKERS + 1), "/b/65");
	makers_done(&m);
}

/* A process executes itself anew, or its number is another's now: the last word counts. */
static void a_process_has_one(void **state)
{
	struct makers m = {0};

	makers_note(&m, 7, "/old");
	for (int i = 0; i < 2 * MAX_MAKERS; i++)
		makers_note(&m, 7, "/new");
	assert_string_equal(makers_bundle(&m, 7), "/new");
	assert_int_equal(m.next, 1); /* and pushes nobody out */
	makers_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_are_known),
		cmocka_unit_test(a_process_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
