# SPDX-License-Identifier: MIT
# The freestanding image: objects, two-pass link (symbol table), ISO.

MK := Makefile $(wildcard tools/mk/*.mk) $(wildcard $(DIRS:%=%/dir.mk))

# Tests are not on any path that is measured: small rather than fast.
$(O)/img/tests/%.o: IMG_OPT := -Os
$(O)/img/tests/bench.o: IMG_OPT := -O2

$(O)/img/%.o: %.c $(MK) $(O)/gen/build_id.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(IMG_CFLAGS) -MMD -MP -c $< -o $@

$(O)/img/%.o: %.S $(MK) $(O)/gen/asm_offsets.h
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(IMG_ASFLAGS) -MMD -MP -c $< -o $@

# The commit, or "unknown" outside a checkout; rewritten only on change.
$(O)/gen/build_id.h: FORCE
	@mkdir -p $(@D)
	@id=$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown); \
	printf '#define NESTBED_BUILD_ID "%s"\n' "$$id" > $@.new; \
	cmp -s $@.new $@ 2>/dev/null && rm $@.new || mv $@.new $@

# Structure offsets for assembly, generated from the C definitions.
$(O)/gen/asm_offsets.h: core/x86/asm_offsets.c $(MK) $(O)/gen/build_id.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(IMG_CFLAGS) -MMD -MP -MT $@ -MF $(O)/gen/asm_offsets.d -S $< -o $(O)/gen/asm_offsets.s
	$(Q)sed -n 's/^.*->\([A-Z0-9_]*\) \$$*\([-0-9]*\).*/#define \1 \2/p' $(O)/gen/asm_offsets.s > $@

$(O)/gen/linker.ld: linker.ld boot/hot.ld boot/layout.h $(MK)
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -D__ASSEMBLY__ -I. $< -o $@

LINK = $(CC) -m64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--fatal-warnings -Wl,--orphan-handling=error \
	-Wl,--gc-sections -Wl,-T,$(O)/gen/linker.ld

# Pass 1 has an empty symbol table; its addresses of code are final, because
# the table lies behind all code.
$(O)/img/symtab0.o: tools/gen_symtab.sh
	@mkdir -p $(@D)
	$(Q)sh tools/gen_symtab.sh < /dev/null > $(O)/img/symtab0.S
	$(Q)$(CC) $(IMG_ASFLAGS) -c $(O)/img/symtab0.S -o $@

$(O)/nestbed.elf64: $(IMG_OBJS) $(O)/img/symtab0.o $(O)/gen/linker.ld
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $(O)/img/pass1.elf $(IMG_OBJS) $(O)/img/symtab0.o
	$(Q)$(NM) -n $(O)/img/pass1.elf | sh tools/gen_symtab.sh > $(O)/img/symtab1.S
	$(Q)$(CC) $(IMG_ASFLAGS) -c $(O)/img/symtab1.S -o $(O)/img/symtab1.o
	$(Q)$(LINK) -Wl,-Map,$(O)/nestbed.map -o $@ $(IMG_OBJS) $(O)/img/symtab1.o

# Multiboot 1 loaders (QEMU's too) want a 32-bit ELF container.
$(O)/nestbed.elf: $(O)/nestbed.elf64 tools/check_image.sh
	$(call say,ELF32,$@)
	$(Q)$(OBJCOPY) -S -I elf64-x86-64 -O elf32-i386 $< $@
	$(Q)sh tools/check_image.sh $< $@

$(O)/nestbed.iso: $(O)/nestbed.elf boot/grub.cfg tools/mkiso.sh
	$(call say,ISO,$@)
	$(Q)sh tools/mkiso.sh $(O)/nestbed.elf boot/grub.cfg $@

FORCE:
.PHONY: FORCE
-include $(IMG_OBJS:.o=.d) $(O)/gen/asm_offsets.d
