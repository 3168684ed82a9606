package dispatch

import (
	"strconv"
	"unicode/utf8"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
)

// input is a parsed payload. Members that are null count as missing; unknown ones are ignored, as are thingName and jobId,
// which AWS's version 1 client repeats.
type input struct {
	token    []byte // clientToken, still quoted; nil: none
	status   []byte // nil: none
	details  map[string]string
	expected number
	number   number
	step     number
	document flag
	state    flag
}

type number struct {
	given bool
	value int64
}

type flag struct{ given, value bool }

func (f flag) or(otherwise bool) bool {
	if f.given {
		return f.value
	}
	return otherwise
}

// maxToken is the longest clientToken, in characters (AWS.md §8).
const maxToken = 64

// read parses a payload. On an error, in still has the token if that could be read.
func read(payload []byte) (in input, err error) {
	if len(payload) == 0 {
		return in, nil
	}
	if !isObject(payload) {
		return in, fault(InvalidJSON, "The payload is not a JSON object.")
	}
	if wire.HalfSurrogate(payload) {
		err = invalid("The payload holds half of a surrogate pair.")
	}
	members(payload, func(name, value []byte) {
		if string(value) == "null" {
			return
		}
		if bad := in.set(name, value); bad != nil && err == nil {
			err = bad
		}
	})
	return in, err
}

// set stores one member.
func (in *input) set(name, value []byte) error {
	var ok bool
	switch string(name) {
	case "clientToken":
		return in.setToken(value)
	case "status":
		in.status, ok = unquoted(value)
	case "statusDetails":
		return in.setDetails(value)
	case "expectedVersion":
		in.expected, ok = numberOf(value)
	case "executionNumber":
		in.number, ok = numberOf(value)
		ok = ok && in.number.value >= 1
	case "stepTimeoutInMinutes":
		in.step, ok = numberOf(value)
	case "includeJobDocument":
		in.document, ok = flagOf(value)
	case "includeJobExecutionState":
		in.state, ok = flagOf(value)
	default:
		return nil
	}
	if !ok {
		return invalid("The value of " + string(name) + " is not one that it may have.")
	}
	return nil
}

func (in *input) setToken(value []byte) error {
	text, ok := unquoted(value)
	switch n := utf8.RuneCount(text); {
	case !ok:
		return invalid("clientToken must be a string.")
	case n > maxToken:
		return invalid("clientToken has " + strconv.Itoa(n) + " characters, the limit is " + strconv.Itoa(maxToken) + ".")
	}
	in.token = value
	return nil
}

func (in *input) setDetails(value []byte) error {
	if value[0] != '{' {
		return invalid("statusDetails must be an object of strings.")
	}
	in.details = map[string]string{}
	var bad error
	members(value, func(name, value []byte) {
		text, ok := unquoted(value)
		if !ok {
			bad = invalid("The values of statusDetails must be strings.")
		}
		in.details[string(name)] = string(text)
	})
	if bad != nil {
		return bad
	}
	return jobs.ValidateDetails(in.details)
}

// numberOf parses an integer, which may be quoted, as FreeRTOS's library does.
func numberOf(value []byte) (number, bool) {
	if text, quoted := unquoted(value); quoted {
		value = text
	}
	v, err := strconv.ParseInt(string(value), 10, 64)
	return number{true, v}, err == nil
}

func flagOf(value []byte) (flag, bool) {
	return flag{true, string(value) == "true"}, string(value) == "true" || string(value) == "false"
}

// stepMinutes returns stepTimeoutInMinutes, which must be at least least.
func (in *input) stepMinutes(least int64) (int64, error) {
	if v := in.step.value; in.step.given && (v == 0 || v < least || v > jobs.MaxTimeoutMinutes) {
		text := "stepTimeoutInMinutes must be between 1 and " + strconv.Itoa(jobs.MaxTimeoutMinutes)
		if least < 0 {
			text += ", or -1"
		}
		return 0, invalid(text + ".")
	}
	return in.step.value, nil
}

// expectedVersion returns the expected version, 0 if none was given. A given version below 1 matches none, as versions begin
// at 1.
func (in *input) expectedVersion() int64 {
	if in.expected.given && in.expected.value < 1 {
		return jobs.NoVersion
	}
	return in.expected.value
}
