package presigner

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// Memo caches URLs that are requested again and again, such as a fleet's firmware in the
// answers of a backend. A URL depends only on signer, request and second, so a cached one
// equals a newly signed one; it takes a tenth of the time (BenchmarkMemo). Safe for
// concurrent use; the zero Memo is not usable, see NewMemo.
type Memo struct {
	seed  maphash.Seed
	slots [memoSlots]memoSlot
}

// memoSlots bounds what a Memo holds: some 2 KB each.
const memoSlots = 256

type memoSlot struct {
	last atomic.Uint64 // hash of the last requested path: a path is kept from its second request on
	url  atomic.Pointer[memoURL]
}

// memoURL is a request and its URL. It is immutable.
type memoURL struct {
	signer         *Signer
	unix, expires  int64 // seconds
	method         Method
	origin, region string
	path, version  string
	url            []byte
}

// NewMemo returns an empty Memo.
func NewMemo() *Memo { return &Memo{seed: maphash.MakeSeed()} }

// AppendURL is s.AppendURL(dst, r), cached. It allocates only for a URL that it adds to the
// cache.
func (m *Memo) AppendURL(dst []byte, s *Signer, r *Request) ([]byte, error) {
	path := r.Path
	var hash uint64
	if path != nil {
		hash = maphash.Bytes(m.seed, path)
	} else {
		hash = maphash.String(m.seed, r.Target.Path)
	}
	slot := &m.slots[hash%memoSlots]
	// Fast path: requested already, in this second.
	if known := slot.url.Load(); known != nil && known.answers(s, r) {
		return append(dst, known.url...), nil
	}
	start := len(dst)
	dst, err := s.AppendURL(dst, r)
	if err == nil && slot.last.Swap(hash) == hash {
		slot.url.Store(newMemoURL(s, r, dst[start:]))
	}
	return dst, err
}

func newMemoURL(s *Signer, r *Request, url []byte) *memoURL {
	path := r.Target.Path
	if r.Path != nil {
		path = string(r.Path)
	}
	return &memoURL{
		signer: s, unix: r.Time.Unix(), expires: int64(r.Expires / time.Second), method: r.Method,
		origin: r.Target.Origin, region: r.Target.Region, path: path, version: r.Target.Version, url: append([]byte(nil), url...),
	}
}

// answers reports whether u is s's URL for r.
func (u *memoURL) answers(s *Signer, r *Request) bool {
	if u.signer != s || u.unix != r.Time.Unix() || u.expires != int64(r.Expires/time.Second) || u.method != r.Method {
		return false
	}
	if r.Path != nil {
		if u.path != string(r.Path) {
			return false
		}
	} else if u.path != r.Target.Path {
		return false
	}
	return u.origin == r.Target.Origin && u.region == r.Target.Region && u.version == r.Target.Version
}
