#include "textflag.h"

// func int80(nr, sixth uint32) int32
TEXT ·int80(SB), NOSPLIT|NOFRAME, $0-12
	MOVL nr+0(FP), AX
	MOVL sixth+4(FP), R8
	XORL BX, BX
	XORL CX, CX
	XORL DX, DX
	XORL SI, SI
	XORL DI, DI
	PUSHQ BP
	MOVL R8, BP
	INT  $0x80
	POPQ BP
	MOVL AX, ret+8(FP)
	RET
