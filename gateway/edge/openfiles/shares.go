package openfiles

// Division of the open-files limit. Files not given to a listener are for the gateway itself: the store, templates,
// connections to AWS, connections being rejected.
const (
	ownFiles      = 64 // and an eighth of the limit
	adminFiles    = 16 // reserved, so that probes and metrics work during a flood
	maxAdminFiles = 256

	// maxUpstreamFiles exceeds the upstream connections in use at once: of many devices, most are silent.
	maxUpstreamFiles = 16 << 10
)

// Share is how many connections a listener gets.
type Share struct {
	Weight int // against the other listeners'; 0: it is the operators', whose part is reserved
	Max    int // the operator's own limit; 0: what is left
	// Proxied: a request may also need a connection to an upstream. Half of the share is reserved for those, up to
	// maxUpstreamFiles.
	Proxied bool
}

// Divide returns how many connections each listener may have at once when the process may open limit files: its share of
// what is left after the reserves, or its Max if that is less. A limit of 0 is unknown, and nothing is divided then.
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
			given[i] = max(4, n) // a limit of so few files serves nobody well
			fallthrough
		default:
			if s.Max > 0 {
				given[i] = min(given[i], s.Max)
			}
		}
	}
	return given
}
