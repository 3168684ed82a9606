package jobdoc

import (
	"bytes"
	"cmp"
	"sync"
	"unicode/utf8"

	"jobgate/gateway/jobdoc/jsontext"
)

// sink receives the parts of a document in order. A compiler builds a Template from them,
// a filler writes them out at once. Arguments are valid during the call only.
type sink interface {
	// literal receives text, to be escaped as a JSON string escapes times.
	literal(text []byte, escapes int)
	// object receives an S3 placeholder.
	object(o *object) *Error
}

// walker parses a document and passes its parts to a sink. Walkers are pooled with
// their scratch space; one handles one document at a time.
type walker struct {
	doc     []byte
	options *Options
	sink    sink

	start, end int           // the current placeholder
	whole      jsontext.Span // the JSON string that the current placeholder replaces; zero: none
	count      int           // placeholders so far
	signatures int32         // of code files so far
	lenient    bool          // ignore errors in placeholders
	parameters bool          // a parameter's value was inserted

	json   jsonState
	depths jsontext.Depths // once json is yes

	decoded []byte // the current body without JSON's escapes
	value   []byte // the current parameter's value
	text    []byte // the current body with its nested placeholders resolved
	s3      object
}

// jsonState is whether the document is JSON; determined when needed.
type jsonState uint8

const (
	jsonUnknown jsonState = iota
	jsonYes
	jsonNo
)

var walkers = sync.Pool{New: func() any { return new(walker) }}

// maxScratch bounds the buffers that a pooled walker keeps after a very long placeholder.
const maxScratch = 16 << 10

func newWalker(doc []byte, o *Options, s sink) *walker {
	w := walkers.Get().(*walker)
	w.doc, w.options, w.sink = doc, o, s
	w.count, w.signatures, w.lenient, w.parameters, w.json = 0, 0, false, false, jsonUnknown
	return w
}

// free returns w to the pool, without references to the document.
func (w *walker) free() {
	w.doc, w.options, w.sink = nil, nil, nil
	w.depths.Reset(nil)
	w.s3 = object{scratch: w.s3.scratch}
	if cap(w.decoded)+cap(w.value)+cap(w.text)+cap(w.s3.scratch) > maxScratch {
		w.decoded, w.value, w.text, w.s3.scratch = nil, nil, nil, nil
	}
	walkers.Put(w)
}

// walk reads the whole document.
func (w *walker) walk() *Error {
	if err := w.options.checkDocument(w.doc); err != nil {
		return err
	}
	for from := 0; ; from = w.end {
		i := Scan(w.doc[from:])
		if i < 0 {
			return w.literal(from, len(w.doc))
		}
		w.start, w.whole = from+i, jsontext.Span{}
		before := w.start
		if bytes.HasPrefix(w.doc[w.start+len(marker):], codeSignPrefix) && w.options.Signatures != nil {
			if s, ok := w.stringAround(); ok {
				w.whole, before = s, s.Start
			}
		}
		if err := w.literal(from, before); err != nil {
			return err
		}
		err := w.placeholder()
		if err != nil && w.lenient {
			w.end = max(w.end, w.start+len(marker))
			continue
		}
		if err != nil {
			return err.at(w.doc, w.start, max(w.end, w.start+len(marker)))
		}
	}
}

// literal passes on text between placeholders.
func (w *walker) literal(from, to int) *Error {
	if w.options.Strict {
		if at, name := findLocal(w.doc[from:to]); at >= 0 {
			start := from + at
			return documentError(textLocalElsewhere, name).at(w.doc, start, start+len("${}")+len(name.String()))
		}
	}
	w.sink.literal(w.doc[from:to], w.options.literalEscapes())
	return nil
}

// placeholder fills the placeholder at w.start and sets w.end.
func (w *walker) placeholder() *Error {
	w.end = w.start
	if err := w.counted(); err != nil {
		return err
	}
	body, err := w.body()
	if err != nil {
		return err
	}
	k, rest := classify(body)
	if k == kindParameter {
		return w.parameter(rest)
	}
	return w.other(k, rest)
}

func (w *walker) counted() *Error {
	w.count++
	if limit := cmp.Or(w.options.MaxPlaceholders, DefaultMaxPlaceholders); w.count > limit {
		return overLimit("The job document has at least %d placeholders, the limit is %d", w.count, limit, "limits.max_placeholders")
	}
	return nil
}

// other fills every kind except a parameter.
func (w *walker) other(k kind, rest []byte) *Error {
	switch k {
	case kindDownload, kindDownloadEncoded, kindUpload:
		return w.url(k, rest)
	case kindPackage:
		return packageError(rest, false, w.isWholeValue())
	case kindCodeSign, kindCodeSignValue:
		return w.codeSign(k, rest)
	default:
		return documentError("Unknown placeholder, ${aws:iot:%s}: %s", clip(rest), knownKinds)
	}
}

// body returns the text of the placeholder at w.start between the marker and its '}',
// without the escapes of the surrounding JSON strings, and sets w.end after it. It is
// valid until the next placeholder.
func (w *walker) body() ([]byte, *Error) {
	from := w.start + len(marker)
	i, ok := closing(w.doc, from, w.json == jsonNo)
	if !ok && w.depth() == 0 {
		i, ok = closing(w.doc, from, true)
	}
	if ok {
		w.end = i + 1
		return w.doc[from:i], nil
	}
	return w.decode(from, w.depth())
}

// depth returns how many JSON strings, one within another, contain the placeholder at w.start.
func (w *walker) depth() int {
	if w.json == jsonUnknown {
		w.json = jsonNo
		if !w.options.PlainText && jsontext.LooksLikeJSON(w.doc) {
			w.json = jsonYes
			w.depths.Reset(w.doc)
		}
	}
	if w.json == jsonNo {
		return 0
	}
	return w.depths.At(w.start)
}

// decode is body for a placeholder that contains bytes special in JSON.
func (w *walker) decode(from, depth int) ([]byte, *Error) {
	if depth > jsontext.MaxDepth {
		return nil, tooDeep()
	}
	w.decoded = w.decoded[:0]
	r := jsontext.Reader{Doc: w.doc, Pos: from}
	open := 1
	for {
		// Fast path: copy bytes that are not special.
		plain := r.Pos
		for plain < len(w.doc) && !meaning[w.doc[plain]] {
			plain++
		}
		w.decoded = append(w.decoded, w.doc[r.Pos:plain]...)
		r.Pos = plain
		if r.Pos < len(w.doc) && (w.doc[r.Pos] == '\n' || w.doc[r.Pos] == '\r') {
			return nil, documentError(textNotTerminated)
		}
		u := r.Next(depth)
		switch u {
		case jsontext.End:
			return nil, documentError(textNotTerminated)
		case jsontext.Bad:
			w.end = r.Pos
			return nil, documentError(`A placeholder holds an escape that JSON does not know; a backslash in JSON is written \\`)
		case '}':
			if open--; open == 0 {
				w.end = r.Pos
				return w.decoded, nil
			}
		case '{':
			if bytes.HasSuffix(w.decoded, dollarBrace[:1]) {
				open++
			}
		}
		w.decoded = utf8.AppendRune(w.decoded, u)
	}
}

func tooDeep() *Error {
	return documentError("A placeholder is nested in more than %d JSON strings", jsontext.MaxDepth)
}

// parameter replaces a placeholder by its parameter's value.
func (w *walker) parameter(name []byte) *Error {
	value, err := w.options.parameter(name)
	if err != nil {
		return err
	}
	w.parameters = true
	w.value = append(w.value[:0], value...)
	escapes, depth := w.options.literalEscapes(), w.depth()
	if depth > jsontext.MaxDepth {
		return tooDeep()
	}
	quoted := depth == 0 && w.json == jsonYes && !jsontext.IsValue(w.value)
	if quoted {
		w.sink.literal(quote, escapes)
		depth = 1
	}
	if err := w.parameterText(escapes + depth); err != nil {
		return err
	}
	if quoted {
		w.sink.literal(quote, escapes)
	}
	return nil
}

var quote = []byte{'"'}

// parameterText passes on w.value and fills the placeholders in it. They are parsed as
// plain text, and may not be parameters themselves.
func (w *walker) parameterText(escapes int) *Error {
	value := w.value
	for {
		i := Scan(value)
		if i < 0 {
			w.sink.literal(value, escapes)
			return nil
		}
		w.sink.literal(value[:i], escapes)
		from := i + len(marker)
		end, ok := closing(value, from, true)
		if !ok {
			return documentError(textNotTerminated)
		}
		if err := w.counted(); err != nil {
			return err
		}
		k, rest := classify(value[from:end])
		if k == kindParameter {
			return parameterError("the value of a parameter holds another, ${aws:iot:parameter:%s}", clip(rest))
		}
		if k == kindCodeSign || k == kindCodeSignValue {
			return codeSignElsewhere(k, "the value of a parameter")
		}
		if err := w.other(k, rest); err != nil {
			return err
		}
		value = value[end+1:]
	}
}
