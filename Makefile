# SPDX-License-Identifier: Apache-2.0
# The whole build. Wildcards only: a gadget is a folder, a source, test or fuzzer is a file; none is listed here.
#   make            build/ig, build/libig.a          make check     all tests but the slow suites
#   make install    PREFIX=/usr/local DESTDIR=       make bench     measurements, side by side
#   make SAN=address,undefined B=build/asan …        the same with sanitizers

B ?= build
CC := gcc
CLANG ?= clang
ARCH ?= $(shell uname -m)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(ARCH)))
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
PKG_CONFIG ?= pkg-config
LIBS := libbpf libelf zlib libevent_core jansson libcap libseccomp

CFLAGS ?= -O2 -g
IG_CFLAGS := -std=gnu17 -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE \
	-DIG_VERSION='"$(VERSION)"' -DIG_PREFIX='"$(PREFIX)"' -Isrc -Iinclude -ffunction-sections -fdata-sections \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
IG_LDFLAGS := $(if $(SAN),-fsanitize=$(SAN),-static) -Wl,--gc-sections
IG_LDLIBS := $(shell $(PKG_CONFIG) --static --libs $(LIBS)) 
BPF_CFLAGS := -g -O2 -Wall -Werror -Wno-unused-function -target bpf -mcpu=v2 -D__TARGET_ARCH_$(BPF_ARCH) -Iinclude

# ---- what there is -----------------------------------------------------------------------------
GADGETS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard gadgets/*/*.bpf.c)))))
OWN_BPF := $(patsubst src/bpf/%.bpf.c,%,$(wildcard src/bpf/*.bpf.c))
LIB_SRC := $(filter-out $(wildcard src/cmd/*.c),$(wildcard src/*/*.c)) $(wildcard gadgets/*/*[!f].c)
LIB_SRC := $(filter-out %.bpf.c,$(LIB_SRC))
CMD_SRC := $(wildcard src/cmd/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(GADGETS:%=$(B)/gadgets/%.o)
CMD_OBJ := $(CMD_SRC:%.c=$(B)/%.o)
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
EXAMPLES := $(patsubst examples/%.c,%,$(wildcard examples/*.c))

.PHONY: all FORCE
all: $(B)/ig $(B)/libig.a

# ---- programs and library ----------------------------------------------------------------------
$(B)/ig: $(B)/src/ig.o $(CMD_OBJ) $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) $(LDFLAGS) $(filter %.o,$^) $(IG_LDLIBS) -o $@

# One relocatable object inside: an archive of many would lose the members that only register themselves.
$(B)/libig.a: $(LIB_OBJ) $(B)/objects.list
	@mkdir -p $(@D)
	ld -r $(filter %.o,$^) -o $(B)/libig.o
	@rm -f $@
	ar rcs $@ $(B)/libig.o

# Changes only when a source comes or goes, so that a removed one is unlinked too.
$(B)/objects.list: FORCE
	@mkdir -p $(@D); echo $(sort $(LIB_SRC) $(CMD_SRC) $(GADGETS)) | cmp -s - $@ || echo $(sort $(LIB_SRC) $(CMD_SRC) $(GADGETS)) > $@

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(IG_CFLAGS) -I$(B)/skeletons -MMD -MP -c $< -o $@

# ---- BPF -----------------------------------------------------------------------------------------
.SECONDEXPANSION:
$(B)/gadgets/%.bpf.o: gadgets/$$*/$$*.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	llvm-strip -g $@

$(B)/gadgets/%.o: $(B)/gadgets/%.bpf.o src/embed.S
	$(CC) $(CFLAGS) -DNAME='"$*"' -DOBJECT='"$<"' -c src/embed.S -o $@

$(B)/bpf/%.bpf.o: src/bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	llvm-strip -g $@

$(B)/skeletons/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	bpftool gen skeleton $< name $* > $@

$(filter $(B)/src/containers/%.o $(B)/src/bpf/%.o,$(LIB_OBJ)): | $(OWN_BPF:%=$(B)/skeletons/%.skel.h)
$(LIB_OBJ): | $(OWN_BPF:%=$(B)/skeletons/%.skel.h)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- tests ----------------------------------------------------------------------------------------
# Unit tests link the library's objects, always with sanitizers.
UNIT_B := build/asan
.PHONY: unit unit-programs
unit:
	$(MAKE) SAN=address,undefined B=$(UNIT_B) CFLAGS='-O1 -g' unit-programs
	@set -e; for t in $(UNIT); do echo "== $$t"; $(UNIT_B)/tests/unit/$$t; done
unit-programs: $(UNIT:%=$(B)/tests/unit/%)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) $(filter %.o,$^) $(IG_LDLIBS) -lcmocka -o $@

# Layers: each may include only what stands left of it.
.PHONY: check-layers
check-layers:
	tests/check-layers

.DELETE_ON_ERROR:
.SECONDARY: $(GADGETS:%=$(B)/gadgets/%.bpf.o) $(OWN_BPF:%=$(B)/bpf/%.bpf.o)
