# SPDX-License-Identifier: MIT
# Payload guests: tests/guests/NAME.c (and NAME_16.S) become $(O)/guests/NAME.elf,
# a multiboot 1 kernel in a 32-bit ELF container.  tests/guests/dir.mk lists
# them in guest64-y (64-bit), guest32-y (32-bit) and guest16-y (32-bit, with
# real-mode code in NAME_16.S), guest6416-y (64-bit, with such code).  They share nothing with the image.
# Those of guest64-host-y are not carried by it: scripts of tests/host load them.

GUEST_CFLAGS := -std=gnu11 -Os -ffreestanding -fno-pic -no-pie -mgeneral-regs-only \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fomit-frame-pointer -fno-strict-aliasing -fno-delete-null-pointer-checks \
	-fno-common -fwrapv -ffunction-sections -fdata-sections \
	-fno-tree-loop-distribute-patterns $(WARN) -Wno-override-init -I.
GUEST_FLAGS_64 := -m64 -mno-red-zone -mno-mmx -mno-sse
GUEST_FLAGS_32 := -m32 -march=i686
GUEST_LD_64 := elf_x86_64
GUEST_LD_32 := elf_i386

GUEST_RT := rt string trap real apic pc acpi
GUEST_RT_64 := $(patsubst %,$(O)/guests/64/rt/%.o,start64 $(GUEST_RT) smp ap svm svm_enter npt)
GUEST_RT_32 := $(patsubst %,$(O)/guests/32/rt/%.o,start32 $(GUEST_RT))
GUEST_NAMES := $(sort $(guest64-y) $(guest6416-y) $(guest32-y) $(guest16-y))
GUEST_ELFS := $(GUEST_NAMES:%=$(O)/guests/%.elf)
GUEST_HOST_ELFS := $(guest64-host-y:%=$(O)/guests/%.elf)

# $(1) width
define guest_rules
$(O)/guests/$(1)/%.o: tests/guests/%.c $(MK)
	$$(call say,GUESTCC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(GUEST_CFLAGS) $$(GUEST_FLAGS_$(1)) -MMD -MP -c $$< -o $$@

$(O)/guests/$(1)/%.o: tests/guests/%.S $(MK)
	$$(call say,GUESTAS,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -D__ASSEMBLY__ -I. $$(GUEST_FLAGS_$(1)) -MMD -MP -c $$< -o $$@
endef
$(eval $(call guest_rules,64))
$(eval $(call guest_rules,32))

# $(1) name, $(2) width, $(3) further objects
define guest_link
$(O)/guests/$(1).elf: $(O)/guests/$(2)/$(1).o $(3) $(GUEST_RT_$(2)) tests/guests/rt/payload.ld
	$$(call say,GUESTLD,$$@)
	$$(Q)$$(LD) -m $(GUEST_LD_$(2)) -n -static -nostdlib --build-id=none --gc-sections \
		-z noexecstack -T tests/guests/rt/payload.ld -o $$@.full $$(filter %.o,$$^)
	$$(Q)$$(OBJCOPY) -S -O elf32-i386 $$@.full $$@
endef
$(foreach g,$(guest64-y) $(guest64-host-y),$(eval $(call guest_link,$(g),64,)))
$(foreach g,$(guest6416-y),$(eval $(call guest_link,$(g),64,$(O)/guests/64/$(g)_16.o)))
$(foreach g,$(guest32-y),$(eval $(call guest_link,$(g),32,)))
$(foreach g,$(guest16-y),$(eval $(call guest_link,$(g),32,$(O)/guests/32/$(g)_16.o)))

# One line per payload: mode, then the strings of struct payload_meta.
$(O)/guests/payloads.list: tools/gen_payloads.sh $(GUEST_ELFS)
	$(Q)OBJCOPY="$(OBJCOPY)" sh tools/gen_payloads.sh list $(O)/guests \
		"$(guest64-y) $(guest6416-y)" "$(guest32-y)" "$(guest16-y)" > $@

$(O)/gen/payloads.c: tools/gen_payloads.sh $(O)/guests/payloads.list
	@mkdir -p $(@D)
	$(Q)sh tools/gen_payloads.sh c $(O)/guests < $(O)/guests/payloads.list > $@

# The table that the image carries.
$(O)/img/gen_payloads.o: IMG_CFLAGS += -fno-toplevel-reorder
$(O)/img/gen_payloads.o: $(O)/gen/payloads.c $(GUEST_ELFS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(IMG_CFLAGS) -MMD -MP -c $< -o $@

guests: $(GUEST_ELFS) $(GUEST_HOST_ELFS) $(O)/guests/payloads.list

.PHONY: guests
-include $(wildcard $(O)/guests/*/*.d $(O)/guests/*/rt/*.d)
