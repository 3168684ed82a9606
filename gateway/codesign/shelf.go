package codesign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Keep stores records across restarts. Its methods are safe for concurrent use and end
// when ctx does.
type Keep interface {
	// Get returns the value of a key; false if there is none.
	Get(ctx context.Context, key string) ([]byte, bool, error)
	Put(ctx context.Context, key string, value []byte) error
	// Prune deletes the values for which old returns true.
	Prune(ctx context.Context, old func(value []byte) bool) error
}

// Shelf holds digests and signatures, in memory and, with a Keep, in a store. It outlives
// reloads, and is safe for concurrent use.
type Shelf struct {
	keep  Keep // nil: memory only
	log   *slog.Logger
	loads chan struct{} // limits the objects read at once

	mu      sync.Mutex
	records map[string]*record // by the file's key, see Signer.place
	flights map[string]*flight // by place and key
}

// record holds the digest and signatures of one version of an object. It is immutable;
// updates replace it.
type record struct {
	Digest     Digest            `json:"digest"`
	Signatures map[string]Signed `json:"signatures"` // by Key.ID
	Used       int64             `json:"used"`       // when it was last used, within a day, in Unix seconds
}

// flight is a signature being made, shared by all waiters.
type flight struct {
	done      chan struct{}
	signature Signature
	err       error
}

const (
	maxLoads   = 4       // objects read at once: each may fill a core
	maxFlights = 1024    // objects waiting to be read
	maxRecords = 1 << 16 // in memory, about 1 KB each
)

// NewShelf returns an empty shelf. keep may be nil.
func NewShelf(keep Keep, log *slog.Logger) *Shelf {
	return &Shelf{
		keep: keep, log: log, loads: make(chan struct{}, maxLoads),
		records: map[string]*record{}, flights: map[string]*flight{},
	}
}

// find returns the record of a place, nil if there is none. If the one in memory has no
// signature of keyID, it reads the store, as another gateway may have made it.
func (s *Shelf) find(ctx context.Context, place, keyID string) *record {
	s.mu.Lock()
	r := s.records[place]
	s.mu.Unlock()
	if s.keep == nil || r.signedBy(keyID) {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, keepWithin)
	defer cancel()
	text, found, err := s.keep.Get(ctx, keyOf(place))
	if err != nil {
		s.log.Warn("cannot read a kept signature", "error", err)
	}
	if err != nil || !found {
		return r
	}
	kept := &record{}
	if err := json.Unmarshal(text, kept); err != nil {
		s.log.Warn("a kept signature is malformed and is made again", "error", err)
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer := s.records[place]; newer.signedBy(keyID) {
		return newer
	}
	s.set(place, kept)
	return kept
}

func (r *record) signedBy(keyID string) bool {
	if r == nil {
		return false
	}
	_, ok := r.Signatures[keyID]
	return ok
}

// keepWithin bounds a call to the store.
const keepWithin = 5 * time.Second

// keyOf returns a place's key in the store: a hash, because places may be long.
func keyOf(place string) string {
	sum := sha256.Sum256([]byte(place))
	return hex.EncodeToString(sum[:])
}

// add adds a signature to a record. The store is written after memory; if it lacks a
// signature, that is made again.
func (s *Shelf) add(ctx context.Context, place string, d Digest, keyID string, signed Signed) {
	r := &record{Digest: d, Signatures: map[string]Signed{keyID: signed}, Used: time.Now().Unix()}
	s.mu.Lock()
	if old := s.records[place]; old != nil && old.Digest == d {
		for id, other := range old.Signatures {
			if id != keyID && len(r.Signatures) < maxKeysKept {
				r.Signatures[id] = other
			}
		}
	}
	s.set(place, r)
	s.mu.Unlock()
	s.put(ctx, place, r)
}

// putDigest keeps a digest without a signature in memory, so that the file is not read again
// after the key has failed.
func (s *Shelf) putDigest(place string, d Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[place] == nil {
		s.set(place, &record{Digest: d, Used: time.Now().Unix()})
	}
}

func (s *Shelf) put(ctx context.Context, place string, r *record) {
	if s.keep == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keepWithin)
	defer cancel()
	text, err := json.Marshal(r)
	if err == nil {
		err = s.keep.Put(ctx, keyOf(place), text)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("cannot keep a signature; it is made again after a restart", "error", err)
	}
}

// maxKeysKept bounds the signatures of one file: the current key's and earlier ones.
const maxKeysKept = 8

// set stores a record, and evicts another if there are too many. The lock is held.
func (s *Shelf) set(place string, r *record) {
	if _, known := s.records[place]; !known && len(s.records) >= maxRecords {
		for other := range s.records {
			delete(s.records, other)
			break
		}
	}
	s.records[place] = r
}

// join returns the flight for a key, nil if too many are waiting. made says that it is
// new and the caller has to run it.
func (s *Shelf) join(key string) (f *flight, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.flights[key]; f != nil {
		return f, false
	}
	if len(s.flights) >= maxFlights {
		return nil, false
	}
	f = &flight{done: make(chan struct{})}
	s.flights[key] = f
	return f, true
}

// land ends a flight.
func (s *Shelf) land(key string, f *flight) {
	s.mu.Lock()
	delete(s.flights, key)
	s.mu.Unlock()
	close(f.done)
}
