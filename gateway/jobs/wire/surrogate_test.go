package wire

import "testing"

func TestHalfSurrogate(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := HalfSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	f(``, false)
	f(`"\`, false)
	f(`"\u00e9\ud83d\ude00\\ud83d \"\u"`, false)
	f(`"\ud83d\ude00\ud83d\ude00"`, false)
	f(`"\ud83d"`, true)
	f(`"\uDE00"`, true)
	f(`"\ud83d\\ude00"`, true)
	f(`"\ud83d\ud83d\ude00"`, true)
	f(`"\ude00\ud83d"`, true)
	f(`"\\\ud83d"`, true)
	f(`\ud83`, false)
	f(`\ud83d\ude0`, true)
}
