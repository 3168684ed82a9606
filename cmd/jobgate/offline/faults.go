package offline

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
)

// maxFaults bounds how many faults of one document are shown.
const maxFaults = 50

// documentFaults returns all faults of a document, given the first. It replaces each faulty placeholder with text and parses
// the document again. An error without a position is returned unchanged.
func documentFaults(name string, document []byte, options *jobdoc.Options, err error) error {
	document = bytes.Clone(document)
	var all config.Faults
	for len(all) < maxFaults {
		var e *jobdoc.Error
		if !errors.As(err, &e) {
			break
		}
		all = append(all, documentFault(name, e))
		if !takeOut(document, e) {
			break
		}
		_, err = jobdoc.Parse(document, options)
	}
	if len(all) == 0 {
		return err
	}
	return all
}

// takeOut turns the placeholder that e refers to into plain text, and says whether it found it.
func takeOut(document []byte, e *jobdoc.Error) bool {
	at := offset(document, e.Line, e.Column)
	if at < 0 {
		return false
	}
	begin := bytes.LastIndex(document[:min(len(document), at+len(marker))], marker) // a faulty local placeholder is inside another one
	if begin < 0 {
		return false
	}
	document[begin] = ' '
	return true
}

// marker begins a placeholder.
var marker = []byte("${aws:iot:")

// offset is where a line and column, in characters from 1, lie in text; -1 if nowhere.
func offset(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	for ; column > 1 && at < len(text); column-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	if line < 1 || column < 1 || at >= len(text) {
		return -1
	}
	return at
}

// documentFault is a document's fault with its position: job.json:3:10: ….
func documentFault(name string, e *jobdoc.Error) config.Fault {
	if name == "-" {
		name = "stdin"
	}
	at := config.Fault{Origin: config.Origin{File: name, Line: max(1, e.Line), Column: max(1, e.Column)}, Problem: e.Text()}
	if e.Placeholder != "" {
		at.Problem += ": " + e.Placeholder
	}
	return at
}
