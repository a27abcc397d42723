// SPDX-License-Identifier: MIT
// What of the virtual PC a system cannot find out otherwise.  Numbers are those
// of core/dev; CPUs are in the MADT.
DefinitionBlock ("dsdt.aml", "DSDT", 2, "NSTBED", "VIRTPC", 1)
{
	Name (\_S5, Package () { 5, 5, 0, 0 })		// VPM_SLP_TYP_S5

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0, 0xcf7, 0, 0xcf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0xd00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
			})
		}
		Device (PIC)
		{
			Name (_HID, EisaId ("PNP0000"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x20, 0x20, 1, 2)
				IO (Decode16, 0xa0, 0xa0, 1, 2)
				IO (Decode16, 0x4d0, 0x4d0, 1, 2)
				IRQNoFlags () { 2 }
			})
		}
		Device (TIMR)
		{
			Name (_HID, EisaId ("PNP0100"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x40, 0x40, 1, 4)
				IRQNoFlags () { 0 }
			})
		}
		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x70, 0x70, 1, 2)
				IRQNoFlags () { 8 }
			})
		}
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}
	}
}
