package signing

import (
	"context"
	"hash/maphash"
	"sync/atomic"
)

// quanta caches the current quanta of all roles, so that a hundred thousand templates share one. On a collision of two, the
// evicted one is created again for the next template.
type quanta [1024]atomic.Pointer[Quantum] // quanta of ten minutes begin at 600 offsets

var quantaSeed = maphash.MakeSeed()

// present returns the quantum, with that begin and length, in which o is signed. It asks the authority each time, because a
// role's session or rules may have changed since the cached quantum was created.
func (r *Renderer) present(ctx context.Context, o *Order, begin, length int64) (*Quantum, error) {
	signs := o.Template.Signs()
	place := &r.shared[(maphash.String(quantaSeed, o.Role)+uint64(o.Expires)+uint64(begin))%uint64(len(r.shared))] //nolint:gosec // a hash
	q := place.Load()
	known := q != nil && q.covers(o, begin) && q.role == o.Role && q.signs == signs
	made := Quantum{Begin: begin, End: begin + length, role: o.Role, expires: o.Expires, signs: signs}
	if signs {
		var err error
		if made.Grant, err = r.grant(ctx, o, begin); err != nil {
			return nil, err
		}
		if ends := made.Grant.Ends; !ends.IsZero() {
			made.End = min(made.End, ends.Unix())
		}
	}
	if known && made.Grant == q.Grant {
		return q, nil
	}
	kept := new(Quantum)
	*kept = made
	place.Store(kept)
	return kept, nil
}
