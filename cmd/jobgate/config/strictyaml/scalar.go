package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. In the file it has a unit: 8KiB, 256MiB, 1GiB (powers of 1024), 1MB (powers of
// 1000) or 512B; a bare number is bytes.
type Size int64

// sizeUnits are tried in order, so that "KiB" is found before "B".
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"kB", 1e3},
	{"B", 1},
}

var (
	errSize     = errors.New("is not a size")
	errDuration = errors.New("is not a duration")
	errUnit     = errors.New("is a duration without a unit")
	errPrefix   = errors.New("is not a CIDR or an address")
)

// ParseSize reads a size such as 256MiB, in bytes.
func ParseSize(text string) (Size, error) {
	number, factor := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = strings.TrimRight(rest, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, errSize
	}
	return Size(n * factor), nil
}

// String formats the size in the largest unit that divides it: 256MiB.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// ParseDuration parses the format of time.ParseDuration, optionally preceded by days: 7d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "", text
	}
	var sum time.Duration
	if found {
		n, err := strconv.ParseUint(days, 10, 64)
		if err != nil || n > math.MaxInt64/uint64(24*time.Hour) {
			return 0, errDuration
		}
		if sum = time.Duration(n) * 24 * time.Hour; rest == "" {
			return sum, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err == nil && d >= 0 && sum <= math.MaxInt64-d {
		return sum + d, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil && d == 0 {
		return 0, errUnit
	}
	return 0, errDuration
}

// FormatDuration formats d as the file does: 7d, 1h30m; 90s becomes 1m30s, but 60s stays 60s.
func FormatDuration(d time.Duration) string {
	switch {
	case d == time.Minute:
		return "60s"
	case d > 24*time.Hour && d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parsePrefix reads a CIDR; a bare address is the network of that one host.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errPrefix
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("has host bits set: write %s", p.Masked())
	}
	return p, nil
}
