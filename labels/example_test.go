package labels_test

import (
	"fmt"

	"github.com/agb-go/sdk/labels"
)

func ExampleParseSelector() {
	s, err := labels.ParseSelector(`team = "R&D, Berlin", env in (dev,prod), !tmp`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	fmt.Println(s.Matches(map[string]string{"env": "dev", "team": "R&D, Berlin"}))
	fmt.Println(s.Matches(map[string]string{"env": "dev", "team": "R&D, Berlin", "tmp": "yes"}))
	// Output:
	// env in (dev,prod),team="R&D, Berlin",!tmp
	// true
	// false
}
