package strictyaml

import (
	"errors"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	f := func(text string, want time.Duration, wantErr error) {
		t.Helper()
		if got, err := ParseDuration(text); got != want || !errors.Is(err, wantErr) {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	}
	f("15m", 15*time.Minute, nil)
	f("1h30m", 90*time.Minute, nil)
	f("7d", 168*time.Hour, nil)
	f("1d12h", 36*time.Hour, nil)
	f("0", 0, nil)
	f("0s", 0, nil)
	f("250ms", 250*time.Millisecond, nil)
	f("900", 0, errUnit)
	f("1.5", 0, errUnit)
	f("-1s", 0, errDuration)
	f("1.5d", 0, errDuration)
	f("d", 0, errDuration)
	f("", 0, errDuration)
	f("1h1d", 0, errDuration)
	f("106752d", 0, errDuration)
	f("106751d24h", 0, errDuration)
}

func TestFormatDuration(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
		if back, err := ParseDuration(want); err != nil || back != d {
			t.Errorf("ParseDuration(%q) = %v, %v", want, back, err)
		}
	}
	f(0, "0s")
	f(time.Minute, "60s")
	f(15*time.Minute, "15m")
	f(90*time.Second, "1m30s")
	f(10*time.Hour, "10h")
	f(24*time.Hour, "24h")
	f(36*time.Hour, "36h")
	f(7*24*time.Hour, "7d")
	f(100*time.Millisecond, "100ms")
	f(time.Hour+30*time.Minute, "1h30m")
}

func TestParseSize(t *testing.T) {
	f := func(text string, want Size, wantErr error) {
		t.Helper()
		if got, err := ParseSize(text); got != want || !errors.Is(err, wantErr) {
			t.Errorf("ParseSize(%q) = %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	}
	f("0", 0, nil)
	f("512", 512, nil)
	f("512B", 512, nil)
	f("8KiB", 8192, nil)
	f("8 KiB", 8192, nil)
	f("1MB", 1000000, nil)
	f("256MiB", 256<<20, nil)
	f("1GiB", 1<<30, nil)
	f("8388607TiB", 8388607<<40, nil)
	f("8388608TiB", 0, errSize)
	f("1.5MiB", 0, errSize)
	f("-1", 0, errSize)
	f("MiB", 0, errSize)
	f("1Mi", 0, errSize)
	f("", 0, errSize)
	for _, s := range []Size{0, 1, 1000, 1024, 256 << 20, 3 << 40, 1<<40 + 1} {
		if back, err := ParseSize(s.String()); back != s || err != nil {
			t.Errorf("ParseSize(%q) = %v, %v", s.String(), back, err)
		}
	}
}
