/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things that register themselves. `REGISTER(commands, struct command, &run)` puts a pointer into
 * the linker section "commands"; `REGISTERED(commands, struct command)` declares the section's
 * bounds and `for_each_registered(commands, c)` walks it. A section may be empty. Link objects, not
 * archives: the linker drops an archive's members that nobody names.
 */
#pragma once

#define REGISTER_CAT2(a, b) a##b
#define REGISTER_CAT(a, b) REGISTER_CAT2(a, b)

#define REGISTER(section_, type, entry)                                                        \
	static const type *const REGISTER_CAT(section_##_entry_, __LINE__)                     \
		__attribute__((used, retain, section(#section_), aligned(sizeof(void *)))) = (entry)

#define REGISTERED(section_, type)                                              \
	extern const type *const __start_##section_[] __attribute__((weak));   \
	extern const type *const __stop_##section_[] __attribute__((weak))

#define for_each_registered(section_, it)                                           \
	for (__typeof__(&*__start_##section_) it = __start_##section_;              \
	     it < __stop_##section_; it++)
