package edge_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain runs more tests in parallel than there are processors, because the parallel ones wait for time-outs.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
