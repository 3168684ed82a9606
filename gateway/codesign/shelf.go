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

// Keep stores what must outlive the process. Its methods are safe for concurrent use and
// end when ctx does.
type Keep interface {
	// Get returns the value of a key; false if there is none.
	Get(ctx context.Context, key string) ([]byte, bool, error)
	Put(ctx context.Context, key string, value []byte) error
	// Prune deletes the values of which old says so.
	Prune(ctx context.Context, old func(value []byte) bool) error
}

// Shelf holds digests and signatures: in memory and, with a Keep, beyond it. It outlives
// reloads, and is safe for concurrent use.
type Shelf struct {
	keep  Keep // nil: memory only
	log   *slog.Logger
	loads chan struct{} // a place for each object that is read at once

	mu      sync.Mutex
	records map[string]*record // by the file's place
	flights map[string]*flight // by place and key
}

// record is what is known of one version of an object. It is immutable; another takes its
// place.
type record struct {
	Digest     Digest            `json:"digest"`
	Signatures map[string]Signed `json:"signatures"` // by Key.ID
	Used       int64             `json:"used"`       // when it was last asked for, within a day, in Unix seconds
}

// flight is a signature that is being made, for all who wait.
type flight struct {
	done      chan struct{}
	signature Signature
	err       error
}

const (
	maxLoads   = 4       // objects read at once: each may fill a core
	maxFlights = 1024    // objects waiting for that
	maxRecords = 1 << 16 // in memory, about 1 KB each
)

// NewShelf returns an empty shelf. keep may be nil.
func NewShelf(keep Keep, log *slog.Logger) *Shelf {
	return &Shelf{
		keep: keep, log: log, loads: make(chan struct{}, maxLoads),
		records: map[string]*record{}, flights: map[string]*flight{},
	}
}

// find returns the record of a place, nil if there is none. Where the one in memory has no
// signature of keyID, the store is asked: another gateway may have made it.
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

// keepWithin bounds a call of the store.
const keepWithin = 5 * time.Second

// keyOf is what a place's record is kept by: places are as long as keys of S3.
func keyOf(place string) string {
	sum := sha256.Sum256([]byte(place))
	return hex.EncodeToString(sum[:])
}

// add puts a signature beside those that are there. The store may be told later than
// memory: what it lacks is made again.
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

// learn keeps a digest in memory, for which there is no signature yet: the file is not
// read again when the key could not be asked.
func (s *Shelf) learn(place string, d Digest) {
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

// maxKeysKept bounds the signatures of one file: today's key, and those before it.
const maxKeysKept = 8

// set stores a record with the lock held, and forgets another when there are too many.
func (s *Shelf) set(place string, r *record) {
	if _, known := s.records[place]; !known && len(s.records) >= maxRecords {
		for other := range s.records {
			delete(s.records, other)
			break
		}
	}
	s.records[place] = r
}

// join returns the flight for a key, and whether it is new, so that the caller has to
// make it fly; nil if too many are waiting.
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
