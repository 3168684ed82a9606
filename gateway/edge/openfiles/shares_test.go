package openfiles_test

import (
	"slices"
	"testing"

	"jobgate/gateway/edge/openfiles"
)

func TestDivide(t *testing.T) {
	devices, sidecar, control, admin := openfiles.Share{Weight: 12}, openfiles.Share{Weight: 2}, openfiles.Share{Weight: 2}, openfiles.Share{}
	limited := openfiles.Share{Weight: 12, Max: 50}
	f := func(limit int, want []int, shares ...openfiles.Share) {
		t.Helper()
		if got := openfiles.Divide(limit, shares...); !slices.Equal(got, want) {
			t.Errorf("%d files: %v, want %v", limit, got, want)
		}
	}
	f(256, []int{108, 18, 18, 16}, devices, sidecar, control, admin)
	f(256, []int{50, 18, 18, 16}, limited, sidecar, control, admin)
	f(256, []int{144, 16}, devices, admin)
	f(1<<20, []int{917184, 256}, devices, admin)
	proxied := openfiles.Share{Weight: 12, Proxied: true}
	f(256, []int{54, 18, 18, 16}, proxied, sidecar, control, admin)
	f(1<<20, []int{900800, 256}, proxied, admin)
	f(0, []int{0}, proxied)
	f(0, []int{50, 0}, limited, admin) // no limit of open files
	f(64, []int{4, 16}, devices, admin)
	for limit := 200; limit < 5000; limit++ { // the sum never exceeds the limit
		sum := 0
		for _, n := range openfiles.Divide(limit, devices, devices, sidecar, control, admin) {
			sum += n
		}
		if sum > limit-limit/8-64 {
			t.Fatalf("%d files: %d connections", limit, sum)
		}
	}
}
