# SPDX-License-Identifier: MIT
pure-y += core/load/load.o core/load/load_plan.o core/load/load_info.o core/load/load_elf.o \
	core/load/load_mb1.o core/load/load_mb2.o core/load/load_linux.o core/load/guest_tables.o

# The guest's DSDT as a C array: iasl writes AML, od its bytes.
$(O)/gen/dsdt.h: core/load/dsdt.asl
	$(call say,IASL,$<)
	@mkdir -p $(@D)
	$(Q)iasl -vs -p $(O)/gen/dsdt $< > $(O)/gen/dsdt.log 2>&1 || { cat $(O)/gen/dsdt.log; exit 1; }
	$(Q){ echo 'static const u8 dsdt_aml[] = {'; od -An -v -tx1 $(O)/gen/dsdt.aml | \
		sed 's/ \(..\)/0x\1,/g'; echo '};'; } > $@
$(O)/img/core/load/guest_tables.o $(O)/host/core/load/guest_tables.o \
	$(O)/fuzz/core/load/guest_tables.o: $(O)/gen/dsdt.h
