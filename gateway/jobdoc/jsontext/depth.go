package jsontext

import "bytes"

// MaxDepth bounds the nesting of JSON strings. AWS's answers have two levels; each
// further level doubles the backslashes.
const MaxDepth = 8

// Depths finds the nesting depth of offsets in a document: 0 outside any string, 1 in a
// string, 2 in a string of a document that is itself a string, and so on. A string's
// text counts as a document if it begins and ends like a JSON object or array.
//
// Call At with ascending offsets: nothing is read twice, so all calls for a document
// together read it at most MaxDepth times.
type Depths struct {
	doc    []byte
	levels [MaxDepth]level
}

// Span is a part of a document.
type Span struct{ Start, End int }

// level is the state of one depth: the last string found in its text.
type level struct {
	read       int // the end of the last string
	open       int // offset of the last string's opening quote
	start, end int // the text of the last string, without its quotes
	document   bool
}

// Reset starts a new document; nil releases the last.
func (d *Depths) Reset(doc []byte) {
	d.doc = doc
	d.levels[0] = level{}
}

// At returns the depth of an offset, MaxDepth+1 if it is deeper than MaxDepth.
func (d *Depths) At(place int) int {
	for depth := range d.levels {
		l := &d.levels[depth]
		for l.end <= place {
			if !d.advance(depth) {
				return depth
			}
		}
		if place < l.start {
			return depth
		}
		if !l.document {
			return depth + 1
		}
	}
	return MaxDepth + 1
}

// Last returns the last string found at a depth, from 1: its text, and its span with the quotes.
func (d *Depths) Last(depth int) (text, all Span) {
	l := &d.levels[depth-1]
	return Span{l.start, l.end}, Span{l.open, l.read}
}

// advance finds the next string in the text of a depth.
func (d *Depths) advance(depth int) bool {
	l := &d.levels[depth]
	r := Reader{Doc: d.doc, Pos: l.read}
	for {
		// Fast path: only quotes and backslashes can form a quote at any depth.
		r.Pos = skipPlain(d.doc, r.Pos, depth == 0)
		l.open = r.Pos
		u := r.Next(depth)
		if u == End {
			l.start, l.end = len(d.doc)+1, len(d.doc)+1 // no offset is after it
			return false
		}
		if u == '"' {
			break
		}
	}
	l.start = r.Pos
	l.end, l.document = textEnd(&r, depth+1)
	l.read = r.Pos
	if depth+1 < MaxDepth {
		d.levels[depth+1] = level{read: l.start}
	}
	return true
}

func skipPlain(doc []byte, pos int, quoteOnly bool) int {
	if quoteOnly {
		if i := bytes.IndexByte(doc[pos:], '"'); i >= 0 {
			return pos + i
		}
		return len(doc)
	}
	for pos < len(doc) && doc[pos] != '"' && doc[pos] != '\\' {
		pos++
	}
	return pos
}

// textEnd reads the text of a string to its closing quote, which it consumes. It
// returns the text's end, and whether the text looks like a JSON document.
func textEnd(r *Reader, depth int) (end int, document bool) {
	var first, last rune
	for {
		// Fast path: text without escapes and quotes.
		end = skipPlain(r.Doc, r.Pos, false)
		if run := bytes.TrimSpace(r.Doc[r.Pos:end]); len(run) > 0 {
			last = rune(run[len(run)-1])
			if first == 0 {
				first = rune(run[0])
			}
		}
		r.Pos = end
		u := r.Next(depth)
		if u == End {
			document = first == '{' && last == '}' || first == '[' && last == ']'
			return end, document
		}
		if u <= ' ' {
			continue
		}
		if last = u; first == 0 {
			first = u
		}
	}
}
