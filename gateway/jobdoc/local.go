package jobdoc

import (
	"bytes"
	"strings"
)

// Local is a local placeholder: a name that AWS resolves for each job execution.
type Local uint8

// The local placeholders of AWS IoT Jobs.
const (
	ThingName Local = iota
	JobID
	ExecutionNumber
	locals // how many there are
)

var localNames = [locals]string{"thingName", "jobId", "executionNumber"}

// String returns the name between "${" and "}".
func (l Local) String() string { return localNames[l] }

// Locals is a set of local placeholders.
type Locals uint8

// Has reports whether l is in the set.
func (s Locals) Has(l Local) bool { return s>>l&1 != 0 }

// String lists the set: "thingName, jobId".
func (s Locals) String() string {
	var names []string
	for l := range locals {
		if s.Has(l) {
			names = append(names, l.String())
		}
	}
	return strings.Join(names, ", ")
}

// maxEach is how often AWS allows each local placeholder in one key.
const maxEach = 2

// mark is the position in a text, before byte at, where a local placeholder's value goes.
type mark struct {
	at   int
	name Local
}

// localNamed returns the local placeholder of a name.
func localNamed(name []byte) (Local, bool) {
	for l, known := range localNames {
		if string(name) == known {
			return Local(l), true
		}
	}
	return 0, false
}

// localAt returns the local placeholder that text begins with.
func localAt(text []byte) (Local, bool) {
	name, ok := bytes.CutPrefix(text, dollarBrace)
	if !ok {
		return 0, false
	}
	const longest = len("executionNumber}")
	end := bytes.IndexByte(name[:min(len(name), longest)], '}')
	if end < 0 {
		return 0, false
	}
	return localNamed(name[:end])
}

// findLocal returns the offset of the first local placeholder in text, or -1.
func findLocal(text []byte) (int, Local) {
	for from := 0; ; from++ {
		i := bytes.Index(text[from:], dollarBrace)
		if i < 0 {
			return -1, 0
		}
		from += i
		if l, ok := localAt(text[from:]); ok {
			return from, l
		}
	}
}

var dollarBrace = []byte("${")

// Values are the values of a document's local placeholders. Each is 1–128 of
// [A-Za-z0-9:_.-] and not "." or ".."; others are refused when used, so that no value
// can escape an allowed key prefix. The bytes are not retained.
type Values struct {
	ThingName, JobID, ExecutionNumber []byte
}

// get returns the value of l.
func (v *Values) get(l Local) ([]byte, *Error) {
	value := v.ThingName
	switch l {
	case JobID:
		value = v.JobID
	case ExecutionNumber:
		value = v.ExecutionNumber
	}
	if len(value) == 0 {
		return nil, valueError("There is no value for the local placeholder ${%s}; the route's path names none", l)
	}
	if len(value) > 128 || value[0] == '.' && (len(value) == 1 || len(value) == 2 && value[1] == '.') {
		return nil, valueError("The value of the local placeholder ${%s} is not a name", l)
	}
	for _, c := range value {
		if !isValueByte(c) {
			return nil, valueError("The value of the local placeholder ${%s} holds a character that is not in [A-Za-z0-9:_.-]", l)
		}
	}
	return value, nil
}

func valueError(format string, l Local) *Error {
	e := requestError(format, l)
	e.Err = ErrValue
	return e
}

// isValueByte reports whether c is allowed in the value of a local placeholder.
func isValueByte(c byte) bool {
	return isAlphanumeric(c) || c == ':' || c == '_' || c == '.' || c == '-'
}
