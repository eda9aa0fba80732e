package main

const sysSeccomp = 277

// There is no other entry: 32-bit calls are made by 32-bit programs alone.
var ways = []way{
	{name: "64-bit", watch: mark},
	{name: "made"},
}

func int80(uint32, uint32) int32 { return 0 }
