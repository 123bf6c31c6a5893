/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries by the names of their files. A library is named by its stem, as the linker's -l has it
 * with "lib" in front: "libssl" is libssl.so, libssl.so.3, libssl-1.1.so and, as Python's packages
 * bring it along, libssl-5ca12f0e.so.1.1.
 */
#pragma once

#include <stdbool.h>

/* Is a file of this name (no folder) that library? "libc" is musl's loader as well. */
bool library_is(const char *file, const char *stem);
