package openfiles

// How the open-files limit is shared out. What is not given to a listener is for files of the gateway's own: the store,
// templates, connections to AWS, connections that are being turned away.
const (
	ownFiles      = 64 // and an eighth of the limit
	adminFiles    = 16 // admin's are reserved: probes and metrics answer, whoever floods the others
	maxAdminFiles = 256

	// maxUpstreamFiles is more connections to upstreams than a process keeps busy: of more devices most are silent.
	maxUpstreamFiles = 16 << 10
)

// Share is how many connections a listener gets.
type Share struct {
	Weight int // against the other listeners'; 0: it is the operators', whose part is reserved
	Max    int // the operator's own limit; 0: what is left
	// Proxied: a request there may take a connection to an upstream too. Half of the share is kept for those, as far as
	// that many are ever busy.
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
