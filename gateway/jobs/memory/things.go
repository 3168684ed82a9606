package memory

import (
	"encoding/json"
	"slices"
	"strings"

	"jobgate/gateway/jobs/engine"
)

func (t *tx) Things(names []string) ([]engine.Thing, error) {
	t.called("Things")
	return pick(&t.things, pick(&t.thingIDs, names)), nil
}

// live reports whether a thing exists and is not deleted.
func (t *tx) live(id int64) bool {
	x, found := t.things.get(id)
	return found && !x.Deleted
}

func (t *tx) ListThings(q engine.ThingQuery, after string, limit int) (list []engine.Thing, err error) {
	t.called("ListThings")
	for name, id := range t.thingIDs.all() {
		x, _ := t.things.get(id)
		if len(list) < limit && name > after && !x.Deleted && (q.TypeName == "" || x.TypeName == q.TypeName) && hasAttribute(&x, &q) {
			list = append(list, x)
		}
	}
	return list, nil
}

func hasAttribute(x *engine.Thing, q *engine.ThingQuery) bool {
	if q.AttributeName == "" {
		return true
	}
	var attributes map[string]string
	if x.Attributes == "" || json.Unmarshal([]byte(x.Attributes), &attributes) != nil {
		return false
	}
	v, found := attributes[q.AttributeName]
	if q.AttributePrefix {
		return found && strings.HasPrefix(v, q.AttributeValue)
	}
	return found && (q.AttributeValue == "" && !q.ByValue || v == q.AttributeValue)
}

func (t *tx) PutThings(things []engine.Thing) error {
	t.called("PutThings")
	for i := range things {
		x := &things[i]
		if x.ID == 0 {
			if t.thingIDs.has(x.Name) {
				return engine.ErrExists
			}
			x.ID = next(&t.db.last.thing)
			t.thingIDs.put(t.id, x.Name, x.ID)
		}
		t.things.put(t.id, x.ID, *x)
	}
	return nil
}

func (t *tx) PurgeThings(ids []int64) error {
	t.called("PurgeThings")
	named := make(map[int64]bool)
	for k := range t.executions.all() {
		named[k.Thing] = true
	}
	for k := range t.attempts.all() {
		named[k.Thing] = true
	}
	for _, id := range ids {
		if x, _ := t.things.get(id); x.Deleted && !named[id] && !t.targeted(engine.Target{ID: id}) {
			t.things.remove(t.id, id)
			t.thingIDs.remove(t.id, x.Name)
		}
	}
	return nil
}

// targeted reports whether a job has a target.
func (t *tx) targeted(goal engine.Target) bool {
	for _, s := range t.jobs.all() {
		if slices.Contains(s.Targets, goal) {
			return true
		}
	}
	return false
}

func (t *tx) Walk(w engine.Walk) (visits []engine.Visit, err error) {
	t.called("Walk")
	for at, after := w.At, w.After; at < len(w.Stops); at, after = at+1, 0 {
		for _, id := range t.stop(&w, at) {
			if id <= after || !t.live(id) || len(visits) == w.Limit {
				continue
			}
			v := engine.Visit{Stop: at, Thing: id}
			if w.Names {
				x, _ := t.things.get(id)
				v.Name = x.Name
			}
			if x, found := t.executions.get(engine.Key{Job: w.Job, Thing: id}); found {
				v.Found = &x
			}
			visits = append(visits, v)
		}
	}
	return visits, nil
}

// stop returns the things of a stop, including deleted ones.
func (t *tx) stop(w *engine.Walk, at int) (ids []int64) {
	goal := w.Stops[at]
	if !goal.Group {
		ids = append(ids, goal.ID)
	} else if g, _ := t.groups.get(goal.ID); g.State == engine.GroupLive || (w.Ending && g.State == engine.GroupEnding) {
		for m, serial := range t.members.between(engine.Member{Group: goal.ID}, engine.Member{Group: goal.ID + 1}) {
			if !w.BySerial || serial <= w.Serial {
				ids = append(ids, m.Thing)
			}
		}
	}
	return slices.DeleteFunc(ids, func(id int64) bool {
		return w.Distinct && slices.ContainsFunc(w.Stops[:at], func(earlier engine.Target) bool { return t.holds(earlier, id) })
	})
}

// holds reports whether a stop includes a thing.
func (t *tx) holds(stop engine.Target, thing int64) bool {
	if !stop.Group {
		return stop.ID == thing
	}
	g, _ := t.groups.get(stop.ID)
	return g.State == engine.GroupLive && t.members.has(engine.Member{Group: stop.ID, Thing: thing})
}
