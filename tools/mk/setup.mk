# SPDX-License-Identifier: MIT
# The goals that a user calls. Each installs what it needs, then calls make
# again, so that rules see the installed tools.

MACHINES ?= qemu-svm bochs-vmx

run:
	$(Q)sh tools/setup.sh run
	$(Q)$(MAKE) --no-print-directory O=$(O) all
	$(Q)$(O)/nestbed run $(MACHINES:%=--on %) --out $(O)/report $(ARGS)

check:
	$(Q)sh tools/setup.sh check
	$(Q)sh tools/check.sh $(O)

bench:
	$(Q)sh tools/setup.sh run
	$(Q)$(MAKE) --no-print-directory O=$(O) all
	$(Q)sh tools/bench.sh $(O)

# Debian's kernel as a guest; LINUX chooses machines, see tests/host/linux.sh.
check-linux:
	$(Q)sh tools/setup.sh run
	$(Q)$(MAKE) --no-print-directory O=$(O) all
	$(Q)sh tests/host/linux.sh $(O) $(LINUX)

# nestbed in nestbed in nestbed; NESTED chooses tests, see tests/host/nested.sh.
check-nested:
	$(Q)sh tools/setup.sh run
	$(Q)$(MAKE) --no-print-directory O=$(O) all
	$(Q)sh tests/host/nested.sh $(O) $(NESTED)

.PHONY: run check check-linux check-nested bench
