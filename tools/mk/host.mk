# SPDX-License-Identifier: MIT
# Everything that runs on the host: pure code under sanitizers, unit tests,
# fuzz targets.  tools/dir.mk adds the command-line tool to HOST rules.

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer $(WARN) -I. -I$(O)/gen -DNESTBED_HOST

PURE_HOST := $(sort $(pure-y:%=$(O)/host/%))
PURE_FUZZ := $(sort $(pure-y:%=$(O)/fuzz/%))
UNIT_BINS := $(unit-y:%.c=$(O)/host/%)
FUZZ_BINS := $(fuzz-y:%.c=$(O)/fuzz/%)
FUZZ_SECONDS ?= 60

# core/lib/string.c defines memcpy and friends: renamed on the host, where
# the C library's own must stay (the sanitizers intercept them).
$(O)/host/core/lib/string.o $(O)/fuzz/core/lib/string.o: HOST_CFLAGS += -include tests/unit/rename_string.h

$(O)/host/%.o: %.c $(MK)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(SAN) -MMD -MP -c $< -o $@

$(O)/host/libpure.a: $(PURE_HOST)
	$(Q)rm -f $@; ar rcs $@ $^

# A unit test may need a library: UNIT_LIBS_<name> (tests/unit/dir.mk).
$(O)/host/tests/unit/%: $(O)/host/tests/unit/%.o $(O)/host/libpure.a
	$(call say,HOSTLD,$@)
	$(Q)$(HOSTCC) $(SAN) $< $(O)/host/libpure.a -lcmocka $(UNIT_LIBS_$*) -o $@

$(O)/fuzz/%.o: %.c $(MK)
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -Wno-unknown-warning-option $(SAN) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(O)/fuzz/libpure.a: $(PURE_FUZZ)
	$(Q)rm -f $@; ar rcs $@ $^

$(O)/fuzz/tests/fuzz/%: $(O)/fuzz/tests/fuzz/%.o $(O)/fuzz/libpure.a
	$(call say,FUZZLD,$@)
	$(Q)$(CLANG) $(SAN) -fsanitize=fuzzer $< $(O)/fuzz/libpure.a $(FUZZ_LIBS_$*) -o $@

unit: $(UNIT_BINS)
fuzz-build: $(FUZZ_BINS)

fuzz: fuzz-build
	$(Q)sh tools/run_fuzz.sh $(FUZZ_SECONDS) $(O) $(FUZZ_BINS)

# Ten million random vmcb12, each through VMRUN's checks and the making of vmcb02; and as
# many VMRUNs that follow each other.
states: $(O)/host/tests/unit/test_svm_nested_enter $(O)/host/tests/unit/test_svm_nested_kept
	$(Q)for t in $^; do NB_STATES=10000000 $$t || exit 1; done

.PHONY: unit fuzz fuzz-build states
.SECONDARY:
-include $(PURE_HOST:.o=.d) $(PURE_FUZZ:.o=.d) $(UNIT_BINS:%=%.d) $(FUZZ_BINS:%=%.d)

# Names of the unit tests, for tools/check.sh.
list-unit:
	@echo $(UNIT_BINS)
.PHONY: list-unit
