package main

const sysSeccomp = 317

var ways = []way{
	{name: "64-bit", watch: mark},
	{name: "x32", bits: 0x40000000, watch: mark},
	{name: "i386", i386: true, watch: mark},
	{name: "made"},
}

// int80 makes a 32-bit system call with all arguments 0 but the sixth.
//
//go:noescape
func int80(nr, sixth uint32) int32
