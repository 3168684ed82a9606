package offline

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobdoc"
)

// maxFaults is the maximum number of faults that are shown of one document.
const maxFaults = 50

// documentFaults returns all faults of a document, given the first. It turns each faulty placeholder into text and parses
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
		if !blank(document, e) {
			break
		}
		_, err = jobdoc.Parse(document, options)
	}
	if len(all) == 0 {
		return err
	}
	return all
}

// blank turns the placeholder that e refers to into plain text, and reports whether it found the placeholder.
func blank(document []byte, e *jobdoc.Error) bool {
	at := offset(document, e.Line, e.Column)
	if at < 0 {
		return false
	}
	begin := bytes.LastIndex(document[:min(len(document), at+len(marker))], marker) // a faulty local placeholder is inside another placeholder
	if begin < 0 {
		return false
	}
	document[begin] = ' '
	return true
}

// marker begins a placeholder.
var marker = []byte("${aws:iot:")

// offset returns the byte offset of a line and column in text, both in characters from 1; -1 if text has no such position.
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

// documentFault returns a document's fault with its position: job.json:3:10: ….
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
