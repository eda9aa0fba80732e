package wire

import "encoding/json"

// structured reports whether t's results travel as data too.
func (t Tool[Args, Out]) structured() bool { return t.Format != nil && !t.Plain }

// Encode returns out as the content of a tool's answer.
func (t Tool[Args, Out]) Encode(out Out) (CallToolResponse, error) {
	resp := CallToolResponse{IsError: t.Failed != nil && t.Failed(out)}
	if h, ok := any(out).(holed); ok {
		resp.Holes = h.holes()
	}
	text := ""
	if t.Format != nil {
		text = t.Format(out)
	} else {
		b, err := TextOf(out).MarshalText()
		if err != nil {
			return resp, err
		}
		text = string(b)
	}
	resp.Content = []Content{{Type: "text", Text: text}}
	if t.structured() {
		b, err := marshal(out)
		if err != nil {
			return resp, err
		}
		resp.Structured = b
	}
	return resp, nil
}

// Decode is the inverse of Encode. It prefers data to text.
func (t Tool[Args, Out]) Decode(resp *CallToolResponse) (out Out, err error) {
	if t.structured() && len(resp.Structured) > 0 {
		err = json.Unmarshal(resp.Structured, &out)
		return out, err
	}
	if t.Parse != nil {
		return t.Parse(resp.Text())
	}
	err = json.Unmarshal([]byte(resp.Text()), &out)
	return out, err
}
