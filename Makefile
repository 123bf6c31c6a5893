# SPDX-License-Identifier: Apache-2.0
# The whole build. Wildcards only: a gadget is a folder, a source, test or fuzzer is a file; none is listed here.
#   make            build/ig, build/libig.a …        make check     all tests but the slow suites
#   make install    PREFIX=/usr/local DESTDIR=       make bench     measurements, side by side
#   make image      build/ig-image.tar, IMAGE=name
#   make SAN=address,undefined B=build/asan …        the same with sanitizers

B ?= build
CROSS ?=
CC := $(CROSS)gcc
AR := $(CROSS)ar
CLANG ?= clang
ARCH ?= $(shell uname -m)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(ARCH)))
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
PKG_CONFIG ?= pkg-config
LIBS := libbpf libelf zlib libevent_core jansson libcap libseccomp libnghttp2 libprotobuf-c yaml-0.1 libzstd libssl libcrypto libpcre2-8

CFLAGS ?= -O2 -g
# What is built does not tell where: the same sources give the same image.
NO_PLACES := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(B)/=build/
IG_CFLAGS := $(NO_PLACES) -std=gnu17 -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE \
	-DIG_VERSION='"$(VERSION)"' -DIG_PREFIX='"$(PREFIX)"' -Isrc -Iinclude -ffunction-sections -fdata-sections \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
IG_LDFLAGS := $(if $(SAN),-fsanitize=$(SAN),-static) -Wl,--gc-sections
# libpcap compiles filters only: what pkg-config says that it wants (D-Bus) is left out (src/gadget/pcap_compile.c).
IG_LDLIBS := $(shell $(PKG_CONFIG) --static --libs $(LIBS)) -lpcap -lresolv
BPF_CFLAGS := $(NO_PLACES) -g -O2 -Wall -Werror -Wno-unused-function -target bpf -mcpu=v2 -D__TARGET_ARCH_$(BPF_ARCH) -Iinclude

# ---- what there is -----------------------------------------------------------------------------
GADGETS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard gadgets/*/*.bpf.c)))))
OWN_BPF := $(patsubst src/bpf/%.bpf.c,%,$(wildcard src/bpf/*.bpf.c))
LIB_SRC := $(filter-out $(wildcard src/cmd/*.c),$(wildcard src/*/*.c)) $(wildcard gadgets/*/*.c)
LIB_SRC := $(filter-out %.bpf.c,$(LIB_SRC))
CMD_SRC := $(wildcard src/cmd/*.c)
PROTO := $(wildcard src/*/*.proto)
PROTO_OBJ := $(PROTO:%.proto=$(B)/%.pb-c.o)
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(GADGETS:%=$(B)/gadgets/%.o) $(PROTO_OBJ)
CMD_OBJ := $(CMD_SRC:%.c=$(B)/%.o) $(B)/manifests.o
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TEST_GADGETS := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/gadgets/*/*.bpf.c))))
BENCH := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench_*.c))
EXAMPLES := $(patsubst examples/%.c,%,$(wildcard examples/*.c))

.PHONY: all FORCE
all: $(B)/ig $(B)/kubectl-gadget $(B)/libig.a

# ---- programs and library ----------------------------------------------------------------------
$(B)/ig: $(B)/src/ig.o $(CMD_OBJ) $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) $(LDFLAGS) $(filter %.o,$^) $(IG_LDLIBS) -o $@

# The same program by its other name, by which kubectl finds it.
$(B)/kubectl-gadget: | $(B)/ig
	ln -sf ig $@

# One relocatable object inside: an archive of many would lose the members that only register themselves.
$(B)/libig.a: $(LIB_OBJ) $(B)/objects.list
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -r -nostdlib $(filter %.o,$^) -o $(B)/libig.o
	@rm -f $@
	$(AR) rcs $@ $(B)/libig.o

# Changes only when a source comes or goes, so that a removed one is unlinked too.
$(B)/objects.list: FORCE
	@mkdir -p $(@D); echo $(sort $(LIB_SRC) $(CMD_SRC) $(GADGETS)) | cmp -s - $@ || echo $(sort $(LIB_SRC) $(CMD_SRC) $(GADGETS)) > $@

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(IG_CFLAGS) -I$(B)/skeletons -I$(B)/src -MMD -MP -c $< -o $@

$(B)/src/columns/flamegraph.o: src/columns/flamegraph.js

# Messages: src/X/Y.proto is read as "X/Y.pb-c.h".
$(B)/src/%.pb-c.c: src/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $<
$(B)/src/%.pb-c.h: $(B)/src/%.pb-c.c ;
$(B)/src/%.pb-c.o: $(B)/src/%.pb-c.c
	$(CC) $(CFLAGS) $(NO_PLACES) -I$(B)/src -c $< -o $@

# ---- BPF -----------------------------------------------------------------------------------------
.SECONDEXPANSION:
$(B)/gadgets/%.bpf.o: gadgets/$$*/$$*.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	llvm-strip -g $@

# Most of an object is its description, which packs well.
$(B)/gadgets/%.bpf.o.zst: $(B)/gadgets/%.bpf.o
	zstd -q -f -19 $< -o $@

$(B)/gadgets/%.o: $(B)/gadgets/%.bpf.o.zst src/embed.S
	$(CC) $(CFLAGS) $(NO_PLACES) -DNAME='"$*"' -DOBJECT='"$<"' -c src/embed.S -o $@

$(B)/tests/gadgets/%.bpf.o: tests/gadgets/$$*/$$*.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	llvm-strip -g $@

$(B)/bpf/%.bpf.o: src/bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	llvm-strip -g $@

$(B)/skeletons/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	bpftool gen skeleton $< name $*_bpf > $@

$(LIB_OBJ) $(CMD_OBJ): | $(OWN_BPF:%=$(B)/skeletons/%.skel.h) $(PROTO:%.proto=$(B)/%.pb-c.c)

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)

# ---- manifests -----------------------------------------------------------------------------------
# What `kubectl gadget deploy` applies: the resources of the kustomization, in its order, as one text.
BASE := deploy/kubernetes/base
$(B)/manifests.yaml: $(wildcard $(BASE)/*.yaml)
	@mkdir -p $(@D)
	sed -n 's/^- //p' $(BASE)/kustomization.yaml | while read -r f; do echo ---; cat $(BASE)/$$f || exit 1; done > $@
$(B)/manifests.o: $(B)/manifests.yaml src/manifests.S
	$(CC) $(CFLAGS) $(NO_PLACES) -DTEXT='"$<"' -c src/manifests.S -o $@

# ---- install ---------------------------------------------------------------------------------------
# A header is public when another layer, or an example, uses it.
PUBLIC = $(shell src/public-headers)
INSTALLED = bin/ig bin/kubectl-gadget lib/libig.a lib/pkgconfig/ig.pc $(wildcard include/gadget/*.h) $(PUBLIC:src/%=include/ig/%) \
	share/man/man8/ig.8 share/bash-completion/completions/ig share/zsh/site-functions/_ig \
	share/fish/vendor_completions.d/ig.fish lib/systemd/system/ig.service
AT := $(DESTDIR)$(PREFIX)

.PHONY: install uninstall
install: all
	install -D -s --strip-program=$(CROSS)strip $(B)/ig $(AT)/bin/ig
	ln -sf ig $(AT)/bin/kubectl-gadget
	install -D -m 644 $(B)/libig.a $(AT)/lib/libig.a
	@mkdir -p $(sort $(dir $(INSTALLED:%=$(AT)/%)))
	sed 's#@PREFIX@#$(PREFIX)#; s#@VERSION@#$(VERSION)#; s#@LIBS@#$(LIBS)#' src/ig.pc.in > $(AT)/lib/pkgconfig/ig.pc
	install -m 644 include/gadget/*.h $(AT)/include/gadget
	for h in $(PUBLIC:src/%=%); do install -D -m 644 src/$$h $(AT)/include/ig/$$h || exit 1; done
	sed 's#/usr/local/bin#$(PREFIX)/bin#' deploy/ig.service > $(AT)/lib/systemd/system/ig.service
	$(B)/ig man > $(AT)/share/man/man8/ig.8
	$(B)/ig completion bash > $(AT)/share/bash-completion/completions/ig
	$(B)/ig completion zsh > $(AT)/share/zsh/site-functions/_ig
	$(B)/ig completion fish > $(AT)/share/fish/vendor_completions.d/ig.fish

# Removes what install has put there, and the folders that are its own.
uninstall:
	rm -f $(INSTALLED:%=$(AT)/%)
	-rmdir $(sort $(dir $(PUBLIC:src/%=$(AT)/include/ig/%))) $(AT)/include/ig $(AT)/include/gadget

# ---- the image that a cluster's nodes run ----------------------------------------------------------
IMAGE ?= localhost/ig:$(VERSION)
.PHONY: image
image: $(B)/ig
	$(CROSS)strip -o $(B)/ig.stripped $(B)/ig
	deploy/image $(B)/ig.stripped $(IMAGE) $(B)/ig-image.tar

# ---- tests ----------------------------------------------------------------------------------------
JOBS ?= $(shell nproc)
PYTEST := IG=$(abspath $(B)/ig) /usr/bin/python3 -B -m pytest -q -p no:cacheprovider
MORE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: check
check:
	+@set -e; for suite in all check-layers unit fuzz check-arm64 gadget-tests e2e; do \
		echo "==== $$suite"; $(MORE) $$suite; \
	done

# Unit tests link the library's objects, always with sanitizers.
.PHONY: unit unit-programs
unit:
	+$(MORE) SAN=address,undefined B=$(B)/asan CFLAGS='-O1 -g' unit-programs
	@set -e; for t in $(UNIT); do echo "== $$t"; $(B)/asan/tests/unit/$$t; done
unit-programs: $(UNIT:%=$(B)/tests/unit/%) $(TEST_GADGETS:%=$(B)/tests/gadgets/%.bpf.o)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) $(filter %.o,$^) $(IG_LDLIBS) -lcmocka -o $@

# libFuzzer: the library again, with clang.
FUZZ_SECONDS ?= 20
.PHONY: fuzz fuzz-programs
fuzz:
	+$(MORE) CC=$(CLANG) SAN=fuzzer-no-link,address,undefined B=$(B)/fuzz CFLAGS='-O1 -g' fuzz-programs
	tests/fuzz/run $(FUZZ_SECONDS) $(B)/fuzz $(FUZZ)
fuzz-programs: $(FUZZ:%=$(B)/tests/fuzz/%)

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) -fsanitize=fuzzer $(filter %.o,$^) $(IG_LDLIBS) -o $@

# Layers: each may include only what stands left of it.
.PHONY: check-layers
check-layers:
	tests/check-layers
	$(PYTEST) tests/layers_test.py

# Real containers. E2E=NAME runs the tests whose name has it.
.PHONY: gadget-tests e2e
gadget-tests: all
	$(PYTEST) tests/gadgets_test.py $(if $(E2E),-k '$(E2E)')
e2e: all examples $(TEST_GADGETS:%=$(B)/tests/gadgets/%.bpf.o)
	EXAMPLES=$(abspath $(B)/examples) $(PYTEST) tests/e2e $(if $(E2E),-k '$(E2E)')

# Built as a user would: from installed files, by what ig.pc says.
.PHONY: examples
examples: all
	@rm -rf $(B)/stage
	+@$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(B)/stage) PREFIX=/usr
	@mkdir -p $(B)/examples
	set -e; for e in $(EXAMPLES); do \
		flags=$$(PKG_CONFIG_PATH=$(B)/stage/usr/lib/pkgconfig $(PKG_CONFIG) --static \
			--define-variable=prefix=$(abspath $(B)/stage)/usr --cflags --libs ig); \
		$(CC) -std=gnu17 -Wall -Wextra -Werror -Wno-unused-parameter $(CFLAGS) examples/$$e.c -static $$flags \
			-o $(B)/examples/$$e; \
	done

# The same program for arm64, BPF and user space, against Debian's libraries for it; then what runs without its kernel.
ARM_ROOT = $(abspath $(B))/arm64-root
.PHONY: check-arm64
check-arm64:
	tests/lib/arm64-root $(ARM_ROOT) $(LIBS) libpcap
	+PKG_CONFIG_LIBDIR=$(ARM_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(ARM_ROOT) \
		$(MORE) B=$(B)/arm64 ARCH=aarch64 CROSS=aarch64-linux-gnu- LDFLAGS=-L$(ARM_ROOT)/usr/lib/aarch64-linux-gnu \
		CFLAGS='-O2 -g -isystem $(ARM_ROOT)/usr/include -isystem $(ARM_ROOT)/usr/include/aarch64-linux-gnu' all
	qemu-aarch64-static $(B)/arm64/ig version
	qemu-aarch64-static $(B)/arm64/ig list

# ---- measurements --------------------------------------------------------------------------------------
.PHONY: bench
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(LIB_OBJ) $(B)/objects.list
	$(CC) $(CFLAGS) $(IG_LDFLAGS) $(filter %.o,$^) $(IG_LDLIBS) -o $@

bench: all $(BENCH:%=$(B)/tests/bench/%)
	IG=$(abspath $(B)/ig) /usr/bin/python3 -B tests/bench/run $(B)/bench.json

# The gadgets and the containers under other kernels, in QEMU. E2E=NAME as above.
KERNELS ?= 5.10 6.1 6.12 newest
.PHONY: check-kernels
check-kernels: all $(TEST_GADGETS:%=$(B)/tests/gadgets/%.bpf.o)
	tests/kernels/run $(B) '$(E2E)' $(KERNELS)

# A daemon under what comes and goes, for so many minutes; then one with sanitizers.
SOAK_MINUTES ?= 10
.PHONY: check-soak
check-soak: all
	+$(MORE) SAN=address,undefined B=$(B)/asan CFLAGS='-O1 -g' $(B)/asan/ig
	IG=$(abspath $(B)/ig) tests/soak $(SOAK_MINUTES)
	IG=$(abspath $(B)/asan/ig) tests/soak $(SOAK_MINUTES)

# The agent in a real cluster of one node. E2E=NAME as above.
.PHONY: check-k8s
check-k8s: all
	$(PYTEST) tests/k8s $(if $(E2E),-k '$(E2E)')

# The README's table of gadgets.
.PHONY: docs
docs: $(B)/ig
	{ sed '/^<!-- made by/q' README.md; $(B)/ig docs; sed -n '/^<!-- end -->/,$$p' README.md; } > $(B)/README.md
	cp $(B)/README.md README.md

.DELETE_ON_ERROR:
.SECONDARY: $(GADGETS:%=$(B)/gadgets/%.bpf.o) $(GADGETS:%=$(B)/gadgets/%.bpf.o.zst) $(OWN_BPF:%=$(B)/bpf/%.bpf.o)
