//go:build linux && (amd64 || arm64)

package hostile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// numbers are the cases that there have to be.
const numbers = `
	F01 F02 F03 F04 F05 F09 F10 F11 F15 F16 F21 F24 F28 F31 F33 F36 F37
	N03 N04 N05 N07 N08 N09 N10 N12 N13 N16 N19 N20 N21 N22 N23 N28 N29 N30 N31 N39
	X01 X02 X03 X04 X06 X07 X08 X10 X12 X13 X16 X17 X18 X19 X20 X23
	W01 W03 W04 W05 W06 W07 W08 W09 W14 W15 W19
	P01 P02 P03 P04 P06 P07 P08 P09 P10 P11 P12 P18
	D01 D02 D03 D04 D05 D06 D07 D08 D12 D13 D15 D16 D18 D20 D22 D26 D29 D33
	C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C13 C14 C16 C17 C19 C20 C21 C23 C25`

// attackTables are all attacks.
var attackTables = [][]attack{fileAttacks, pathAttacks, kernelAttacks, networkAttacks, exhaustAttacks}

// elsewhere are cases that are tested where the code is: file and function.
var elsewhere = map[string]string{
	"F31": "../../internal/guest/agent/archive_test.go TestHostileArchives",
	"N19": "../linuxns/syscalls_test.go TestEverySystemCall",
	"X13": "../internal/httpapi/slow_internal_test.go TestClientDoesNotRead",
	"W07": "../../internal/egress/proxy_test.go TestProxyRefuses",
	"W08": "../../internal/egress/proxy_test.go TestProxyRefuses",
	"W15": "../internal/httpapi/link_test.go TestLinkBounds",
	"W19": "../internal/httpapi/link_test.go TestLink",
	"P01": "../../internal/guest/mux/hostile_test.go TestOpenerIsStrict",
	"P06": "../../internal/guest/hostile_test.go TestAnswersAreChecked",
	"P10": "../../internal/guest/kernel/kernel_test.go FuzzFrames",
	"P11": "../../filesystem/hostile_test.go TestHostileDownloads",

	"D01": "../internal/httpapi/http_test.go TestUnauthorized",
	"D02": "../../cmd/agb/main_test.go TestServeRefusesKeys",
	"D03": "../internal/httpapi/routes_test.go TestEveryRouteWantsAKey",
	"D04": "../internal/httpapi/routes_test.go TestEveryRouteKeepsTenantsApart",
	"D05": "../internal/httpapi/hostile_test.go TestSessionIDsAreExactAndRandom",
	"D06": "../internal/httpapi/hostile_test.go TestFiltersAreNoPatterns",
	"D07": "../internal/httpapi/hostile_test.go TestReservedLabels",
	"D08": "../internal/httpapi/routes_test.go TestNoRouteButTheExactOne",
	"D12": "../internal/httpapi/create_internal_test.go TestNothingOfARequestGetsIntoHeaders",
	"D13": "../internal/httpapi/hostile_test.go TestOddJSON",
	"D15": "../internal/httpapi/body_internal_test.go TestWebPagesAreRefused",
	"D16": "../internal/httpapi/create_internal_test.go TestIdempotencyKeys",
	"D18": "../internal/httpapi/throttle_internal_test.go TestWrongKeysAreThrottled",
	"D20": "../internal/httpapi/log_test.go TestLogIsNotForged",
	"D22": "../engine_test.go TestDeleteUnderCalls",
	"D26": "../../command/attach_test.go TestAttachToOthers",
	"D29": "../internal/httpapi/http_test.go TestRouting",
	"D33": "../../cmd/agb/main_test.go TestServe",

	"C02": "../../internal/transport/answer_test.go TestRedirectsAreRefused",
	"C03": "../../internal/transport/answer_test.go TestRedirectsAreRefused",
	"C04": "../../internal/transport/answer_test.go TestResponseLimit",
	"C05": "../../internal/transport/answer_test.go TestGzipBomb",
	"C06": "../../internal/transport/fault_test.go TestContextAtEachPhase",
	"C07": "../../internal/transport/fault_test.go TestTricklingFailure",
	"C08": "../../internal/transport/retry_test.go TestRetryAfter",
	"C09": "../../internal/transport/call_test.go FuzzAnswer",
	"C10": "../../internal/transport/answer_test.go TestAnswersNotUnderstood",
	"C11": "../../filesystem/session_test.go TestBytesAreExact",
	"C12": "../../internal/transport/answer_test.go TestContentLengthLies",
	"C13": "../../agb/client_test.go TestCreateAnswers",
	"C14": "../../internal/transport/direct_test.go TestDirectCallIsNotTaken",
	"C16": "../../filesystem/hostile_test.go TestCutStreams",
	"C17": "../../filesystem/hostile_test.go TestHostileDownloads",
	"C19": "../../internal/transport/fault_test.go TestUntrustedServer",
	"C20": "../../internal/transport/identity_test.go TestAnswersOfOthers",
	"C21": "../../internal/transport/answer_test.go TestRefusals",
	"C23": "../../internal/transport/answer_test.go TestHeaderLimit",
	"C25": "../../internal/transport/fault_test.go TestIdleConnectionBreaks",
}

// absent are cases of what the product does not offer.
var absent = map[string]string{
	"P18": "nothing is compressed on the way to the guest",
}

func TestIndex(t *testing.T) {
	have := map[string]bool{}
	for _, id := range ids() {
		number, _, _ := strings.Cut(id, "-")
		have[number] = true
	}
	for id, where := range elsewhere {
		file, name, _ := strings.Cut(where, " ")
		requireFunction(t, file, name)
		have[id] = true
	}
	for id := range absent {
		have[id] = true
	}
	for _, number := range strings.Fields(numbers) {
		require.True(t, have[number], "there is no case %s", number)
	}
}

// ids returns the ids of all cases here.
func ids() (all []string) {
	for _, a := range slices.Concat(attackTables...) {
		all = append(all, a.id)
	}
	for _, c := range slices.Concat(pathTrials(), answerTrials(), plantTrials(), exhaustTrials(), defaultTrials()) {
		all = append(all, c.id)
	}
	for _, c := range takeovers() {
		all = append(all, c.id)
	}
	return append(all, "P07", "P08", "P12")
}

func requireFunction(t *testing.T, file, name string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Name.Name == name
	}), "%s has no %s", file, name)
}
