package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Origin is where a value was written. The zero Origin is a default.
type Origin struct {
	File         string // as given on the command line
	Line, Column int    // from 1
	Env          string // variable, if set by the environment
	Flag         string // flag, if set on the command line
}

// String returns file:line:column, "environment NAME", "flag --name" or "default".
func (o Origin) String() string {
	switch {
	case o.Flag != "":
		return "flag " + o.Flag
	case o.Env != "":
		return "environment " + o.Env
	case o.File != "":
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	}
	return "default"
}

// Fault is an error in the configuration or, in a list of warnings, a possible error.
type Fault struct {
	Origin  Origin
	Key     string // presign.expires, routes[2].path
	Problem string // with the value: `"8d" is too long`
	Allowed string // "60s..7d"; may be empty
	Fix     string // what to do; may be empty
}

// Error returns one line: where: key: problem; allowed …; fix.
func (f Fault) Error() string {
	var b strings.Builder
	if f.Origin != (Origin{}) {
		b.WriteString(f.Origin.String() + ": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Allowed != "" {
		b.WriteString("; allowed: " + f.Allowed)
	}
	if f.Fix != "" {
		b.WriteString("; " + f.Fix)
	}
	return b.String()
}

// Faults are all faults of a configuration.
type Faults []Fault

// Error returns one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sorted orders faults by place: the file's first, then environment, flags and defaults as found.
func (fs Faults) Sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(boolRank(a.Origin.Line == 0), boolRank(b.Origin.Line == 0)),
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Origin.Column, b.Origin.Column),
		)
	})
	return fs
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// AsFaults returns the faults that err carries, if it carries any.
func AsFaults(err error) (Faults, bool) {
	var fs Faults
	ok := errors.As(err, &fs)
	return fs, ok
}

// OneOf formats a choice: "clamp, refuse or ignore".
func OneOf(names []string) string {
	switch n := len(names); n {
	case 0:
		return "none"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
}

// nearest returns the candidate closest to want by edit distance; "" if none is close.
func nearest(want string, candidates []string) string {
	best, bestDistance := "", len(want)/3+2
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(want), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the single-character edits between a and b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// DidYouMean is the fix suggested for an unknown name.
func DidYouMean(want string, candidates []string) string {
	if near := nearest(want, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}
