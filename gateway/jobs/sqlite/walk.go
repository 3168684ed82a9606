package sqlite

import (
	"errors"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// Walk implements engine.ThingReader.
func (r reader) Walk(w engine.Walk) ([]engine.Visit, error) {
	if w.Limit <= 0 || w.At >= len(w.Stops) {
		return nil, nil
	}
	k := walker{reader: r, w: &w}
	if w.Distinct {
		k.met = make(map[engine.Target]bool)
	}
	for at, stop := range w.Stops {
		if at >= w.At {
			if err := k.stop(at, stop); err != nil {
				return nil, err
			}
			if len(k.visits) == w.Limit {
				break
			}
		}
		if w.Distinct {
			k.met[stop] = true
		}
	}
	return k.visits, k.find()
}

// walker is a walk in progress.
type walker struct {
	reader
	w      *engine.Walk
	met    map[engine.Target]bool // the stops before this one, if Distinct
	visits []engine.Visit
}

// stop visits the things of one stop.
func (k *walker) stop(at int, stop engine.Target) error {
	after := int64(0)
	if at == k.w.At {
		after = k.w.After
	}
	meet := func(stmt *sqlite.Stmt) error {
		if len(k.visits) == k.w.Limit {
			return errEnough
		}
		v := engine.Visit{Stop: at, Thing: stmt.ColumnInt64(0)}
		if k.w.Distinct {
			if again, err := k.again(v.Thing); err != nil || again {
				return err
			}
		}
		if k.w.Names {
			v.Name = stmt.ColumnText(1)
		}
		k.visits = append(k.visits, v)
		return nil
	}
	var err error
	switch {
	case !stop.Group:
		err = numbers(k.conn, "SELECT id, name FROM things WHERE id = ? AND id > ? AND deleted = 0", meet, stop.ID, after)
	default:
		serial, state := int64(1<<63-1), int64(engine.GroupLive)
		if k.w.BySerial {
			serial = k.w.Serial
		}
		if k.w.Ending {
			state = int64(engine.GroupEnding)
		}
		text := `SELECT m.thing FROM groups g JOIN members m ON m.grp = g.id
			WHERE g.id = ?1 AND g.deleted <= ?2 AND m.thing > ?3 AND m.serial <= ?4 ORDER BY m.thing`
		if k.w.Names { // a deleted thing has no memberships
			text = `SELECT m.thing, t.name FROM groups g JOIN members m ON m.grp = g.id JOIN things t ON t.id = m.thing
			WHERE g.id = ?1 AND g.deleted <= ?2 AND m.thing > ?3 AND m.serial <= ?4 ORDER BY m.thing`
		}
		err = numbers(k.conn, text, meet, stop.ID, state, after, serial)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}

// again reports whether a thing is in an earlier stop.
func (k *walker) again(thing int64) (again bool, err error) {
	if k.met[engine.Target{ID: thing}] {
		return true, nil
	}
	err = numbers(k.conn, `SELECT m.grp FROM members m JOIN groups g ON g.id = m.grp WHERE m.thing = ? AND g.deleted = 0`,
		func(stmt *sqlite.Stmt) error {
			again = again || k.met[engine.Target{Group: true, ID: stmt.ColumnInt64(0)}]
			return nil
		}, thing)
	return again, err
}

// find adds the executions of the visited things. A rollout usually finds none: a job's executions are ordered by thing, and
// the rollout is ahead of them all.
func (k *walker) find() error {
	if k.w.Job == 0 || len(k.visits) == 0 {
		return nil
	}
	last, _, err := value(k.conn, "SELECT max(thing) FROM executions WHERE job = ?", k.w.Job)
	if err != nil {
		return err
	}
	for i := range k.visits {
		v := &k.visits[i]
		if v.Thing > last {
			continue
		}
		rows, err := k.Executions([]engine.Key{{Job: k.w.Job, Thing: v.Thing}})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			v.Found = &rows[0]
		}
	}
	return nil
}
