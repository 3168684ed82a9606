package plan

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// How a run draws its names.
const (
	Uniform    = "uniform"    // all names equally likely
	Zipf       = "zipf"       // mostly few names
	Sequential = "sequential" // each in turn, like a fleet in which every device polls once per round
)

// Names is a range of numbered names, made by ParseNames: Prefix followed by a number from First to
// First+Count-1, padded with zeros to the longest.
type Names struct {
	Prefix string
	First  uint64
	Count  uint64  // at least 1
	Spread string  // Uniform, Zipf or Sequential
	Skew   float64 // Zipf's exponent, above 1

	width int // of the longest number
}

// ParseNames reads how many names there are ("1000000") or their range
// ("500000..999999", so that several load machines play parts of one fleet).
func ParseNames(prefix, text string) (Names, error) {
	first, last, isRange := strings.Cut(text, "..")
	a, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return Names{}, fmt.Errorf("cannot read names %q: it is neither a number nor a range such as 0..999999, up to %d", text, uint32(1<<32-1))
	}
	n := Names{Prefix: prefix, Count: a}
	if isRange {
		b, err := strconv.ParseUint(last, 10, 32)
		if err != nil || b < a {
			return Names{}, fmt.Errorf("cannot read names %q: the end of the range is not a number from %d", text, a)
		}
		n.First, n.Count = a, b-a+1
	}
	if n.Count == 0 {
		return Names{}, fmt.Errorf("cannot read names %q: there must be at least one", text)
	}
	n.width = len(strconv.FormatUint(n.First+n.Count-1, 10))
	if longest := len(prefix) + n.width; longest > 128 {
		return Names{}, fmt.Errorf("cannot use names of %d bytes: a thing's name has at most 128", longest)
	}
	for _, c := range []byte(prefix) {
		if !nameByte(c) {
			return Names{}, fmt.Errorf("cannot use prefix %q: a name consists of [A-Za-z0-9:_.-]", prefix)
		}
	}
	return n, nil
}

// nameByte reports whether c is allowed in the name of a thing or job.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ':' || c == '_' || c == '.' || c == '-'
}

// AppendTo appends the i-th name. It allocates only to grow dst.
func (n *Names) AppendTo(dst []byte, i uint32) []byte {
	dst = append(dst, n.Prefix...)
	at := len(dst)
	for range n.width {
		dst = append(dst, '0')
	}
	for k, v := len(dst)-1, n.First+uint64(i); k >= at; k-- {
		dst[k] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// Picker draws indices below Names.Count. It is not safe for concurrent use.
type Picker struct {
	count uint64
	next  uint64 // Sequential
	rng   *rand.Rand
	zipf  *rand.Zipf
	step  uint64 // 0: not Sequential
}

// NewPicker returns a run's picker number part of parts. The pickers draw different
// sequences; the same seed gives the same ones.
func NewPicker(n Names, seed uint64, part, parts int) *Picker {
	rng := rand.New(rand.NewPCG(seed, uint64(part)+0x6e616d65))
	p := &Picker{count: n.Count, rng: rng}
	switch n.Spread {
	case Zipf:
		p.zipf = rand.NewZipf(rng, n.Skew, 1, n.Count-1)
	case Sequential:
		p.next, p.step = uint64(part)%n.Count, uint64(parts)
	}
	return p
}

// Pick draws the next index.
func (p *Picker) Pick() uint32 {
	switch {
	case p.zipf != nil:
		return uint32(p.zipf.Uint64())
	case p.step > 0:
		i := p.next
		p.next = (p.next + p.step) % p.count
		return uint32(i)
	case p.count == 1:
		return 0
	}
	return uint32(p.rng.Uint64N(p.count))
}
