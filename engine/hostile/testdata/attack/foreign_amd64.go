package main

// int80 makes a system call of i386 with arguments of 0.
func int80(nr uint32) uint32
