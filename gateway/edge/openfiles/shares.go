package openfiles

// Division of the open-files limit. Files that no listener gets are for the gateway itself: the store, templates,
// connections to AWS, connections being rejected.
const (
	ownFiles      = 64 // for the gateway itself, plus an eighth of the limit
	adminFiles    = 16 // for the operators' listener at least, so that probes and metrics work during a flood
	maxAdminFiles = 256

	// maxUpstreamFiles is more than the upstream connections in use at once, because most devices are silent.
	maxUpstreamFiles = 16 << 10
)

// Share is how many connections a listener gets.
type Share struct {
	Weight int // relative to the other listeners'; 0: the operators' listener, whose share is reserved
	Max    int // the limit set by the operator; 0: none
	// Proxied: a request may also need a connection to an upstream. Half of the share is reserved for upstream connections,
	// up to maxUpstreamFiles.
	Proxied bool
}

// Divide returns how many connections each listener may have at once when the process may open limit files: its share of the
// files left after the reserves, or its Max if that is less. A limit of 0 means no limit: each listener gets its Max.
func Divide(limit int, shares ...Share) []int {
	given := make([]int, len(shares))
	left, weights := limit-ownFiles-limit/8, 0
	for i, s := range shares {
		if s.Weight == 0 {
			given[i] = min(max(adminFiles, limit/64), maxAdminFiles)
			left -= given[i]
		}
		weights += s.Weight
	}
	for i, s := range shares {
		switch {
		case limit == 0:
			given[i] = s.Max
		case s.Weight > 0:
			n := left * s.Weight / weights
			if s.Proxied {
				n -= min(n/2, maxUpstreamFiles)
			}
			given[i] = max(4, n) // with fewer, the listener would be of no use
			fallthrough
		default:
			if s.Max > 0 {
				given[i] = min(given[i], s.Max)
			}
		}
	}
	return given
}
