package jobs

import (
	"fmt"
	"strings"
	"testing"
)

func TestValidateDetails(t *testing.T) {
	many := map[string]string{}
	for i := range MaxStatusDetails + 1 {
		many[fmt.Sprint("n", i)] = "x"
	}
	f := func(details map[string]string, want string) {
		t.Helper()
		err := ValidateDetails(details)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", details, err, want)
		}
	}
	f(nil, "")
	f(map[string]string{"a:B_-9": "ü 1"}, "")
	f(map[string]string{strings.Repeat("n", 128): strings.Repeat("é", 1024)}, "")
	f(map[string]string{strings.Repeat("n", 129): "x"}, "pattern")
	f(map[string]string{"": "x"}, "pattern")
	f(map[string]string{"a b": "x"}, "pattern")
	f(map[string]string{"a": ""}, "0 characters")
	f(map[string]string{"a": strings.Repeat("é", 1025)}, "1025 characters")
	f(map[string]string{"a": "b\x00"}, "control")
	f(many, "the limit is 10")
}
