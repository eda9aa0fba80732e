package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// itemBudget is how much of [outputBudget] the results of code may take whatever
// the output takes.
const itemBudget = 8 << 20

// items returns results as they travel, and what they take encoded: up to
// [itemBudget], or room if that is more, which is what the output leaves. A result
// that no longer fits says so in its place. Large text becomes holes, unless h is
// nil.
func (h *holes) items(items []kernel.Item, room func() int) ([]wire.JSONText[wire.CodeItem], int) {
	texts, total := []wire.JSONText[wire.CodeItem]{}, 0
	for _, item := range items {
		text, large := wire.JSONText[wire.CodeItem]{V: codeItem(item)}, []wire.Hole{}
		size, cost := 0, 0
		for form, v := range text.V {
			if s, ok := v.(string); ok && h != nil && len(s) >= largeOutput {
				mark := uuid.NewString()
				text.V[form] = mark
				large = append(large, wire.Hole{Mark: mark, Fill: func(w io.Writer) error { return writeItemText(w, s) }})
				size += len(s)
				cost += itemTextCost(s)
			}
		}
		b, err := text.MarshalText()
		size += len(b)
		cost += nestedCost(b)
		if err != nil || total+cost > itemBudget && total+cost > room() {
			text.V = wire.CodeItem{
				wire.ItemMain: item.Main, wire.ItemTruncated: true, "text/plain": fmt.Sprintf("[result of %d bytes left out]", size),
			}
			cost, large = 0, nil
		}
		if h != nil {
			h.list = append(h.list, large...)
		}
		total += cost
		texts = append(texts, text)
	}
	return texts, total
}

// codeItem returns a result as it travels.
func codeItem(item kernel.Item) wire.CodeItem {
	ci := wire.CodeItem{wire.ItemMain: item.Main}
	if item.Truncated {
		ci[wire.ItemTruncated] = true
	}
	for mime, v := range item.Data {
		ci[mime] = v
	}
	return ci
}

// itemTextCost is what s takes in a result, whose JSON travels as JSON inside
// JSON.
func itemTextCost(s string) int {
	cost := 0
	for b := range asJSON(s) {
		cost += nestedCost(b)
	}
	return cost
}

// writeItemText writes s as it travels in a result.
func writeItemText(w io.Writer, s string) error {
	for b := range asJSON(s) {
		if err := writeNested(w, inMemory(b)); err != nil {
			return err
		}
	}
	return nil
}

// asJSON returns s as package json encodes it, without escaping for HTML and
// without the quotes, in pieces.
func asJSON(s string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		for len(s) > 0 {
			n := min(len(s), nestedPiece)
			n -= unfinished([]byte(s[max(0, n-3):n]))
			n = max(n, 1) // of what is no text
			out.Reset()
			_ = enc.Encode(s[:n]) // text always encodes
			if s = s[n:]; !yield(out.Bytes()[1 : out.Len()-2]) {
				return
			}
		}
	}
}
