package tlsserver

import "testing"

// Records finds the end of each record, however the bytes are split.
func TestRecords(t *testing.T) {
	stream := "\x16\x03\x01\x00\x03abc" + "\x17\x03\x03\x00\x00" + "\x17\x03\x03\x01\x04" + string(make([]byte, 260))
	whole := map[int]bool{0: true, 8: true, 13: true, len(stream): true}
	for size := 1; size <= len(stream); size++ {
		var r Records
		for at := 0; at < len(stream); {
			n := min(size, len(stream)-at)
			r.follow([]byte(stream[at : at+n]))
			if at += n; r.Inside() == whole[at] {
				t.Fatalf("in pieces of %d, after %d bytes: inside is %v", size, at, r.Inside())
			}
		}
	}
}
