package packet

import "bytes"

// Subscribe is a SUBSCRIBE or an UNSUBSCRIBE (5 §3.8, §3.10). Next returns its filters in order.
type Subscribe struct {
	ID         uint16
	Properties Properties // MQTT 5

	filters []byte // as in the packet, checked
	options bool   // each is followed by options
}

// Subscription is one filter of a SUBSCRIBE, with its options. All options but QoS are MQTT 5's.
type Subscription struct {
	Filter            []byte
	QoS               uint8
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    uint8
}

// Options of a subscription (5 §3.8.3.1).
const (
	optionQoS               = 3
	optionNoLocal           = 1 << 2
	optionRetainAsPublished = 1 << 3
	optionRetainHandling    = 1 << 4
	optionReserved          = 0xc0
)

// ParseSubscribe reads a SUBSCRIBE or an UNSUBSCRIBE into s, and checks each filter and its options.
func ParseSubscribe(p Packet, v Version, s *Subscribe) error {
	*s = Subscribe{options: p.Type == SUBSCRIBE}
	r := reader{b: p.Body}
	s.ID = r.uint16()
	if v == V5 {
		r.properties(&s.Properties, in(p.Type))
	}
	if r.err != nil {
		return r.err
	}
	switch {
	case s.ID == 0:
		return errPacketID
	case len(r.b) == 0:
		return errNoFilter
	}
	s.filters = r.b
	for len(r.b) > 0 {
		filter := r.text()
		if r.err == nil && !ValidFilter(filter) {
			r.fail(errFilter)
		}
		if s.options {
			r.option(v, filter)
		}
	}
	return r.end()
}

// option checks the options of one filter.
func (r *reader) option(v Version, filter []byte) {
	o := r.byte()
	switch {
	case r.err != nil:
	case o&optionQoS == 3:
		r.fail(errQoS)
	case o&optionReserved != 0, v != V5 && o > optionQoS:
		r.fail(errReserved)
	case o/optionRetainHandling == 3:
		r.fail(errRetain)
	case o&optionNoLocal != 0 && Shared(filter):
		r.fail(errNoLocal)
	}
}

// Next returns the next filter, false when there is none left.
func (s *Subscribe) Next() (one Subscription, ok bool) {
	if len(s.filters) == 0 {
		return one, false
	}
	r := reader{b: s.filters}
	one.Filter = r.data()
	if s.options {
		o := r.byte()
		one.QoS, one.NoLocal, one.RetainAsPublished = o&optionQoS, o&optionNoLocal != 0, o&optionRetainAsPublished != 0
		one.RetainHandling = o / optionRetainHandling
	}
	s.filters = r.b
	return one, true
}

// AppendSubscribe appends a SUBSCRIBE for the filters of list. properties may hold only those of a SUBSCRIBE.
func AppendSubscribe(dst []byte, v Version, id uint16, properties *Properties, list []Subscription) []byte {
	size, n := 0, 2
	if v == V5 {
		size = properties.size()
		n += varintSize(size) + size
	}
	for i := range list {
		n += 3 + len(list[i].Filter)
	}
	dst = appendUint16(appendHeader(dst, SUBSCRIBE, flagsOf[SUBSCRIBE], n), id)
	if v == V5 {
		dst = properties.appendTo(dst, size)
	}
	for i := range list {
		one := &list[i]
		o := one.QoS
		if one.NoLocal {
			o |= optionNoLocal
		}
		if one.RetainAsPublished {
			o |= optionRetainAsPublished
		}
		dst = append(appendText(dst, one.Filter), o|one.RetainHandling*optionRetainHandling)
	}
	return dst
}

// AppendUnsubscribe appends an UNSUBSCRIBE for filters.
func AppendUnsubscribe(dst []byte, v Version, id uint16, filters [][]byte) []byte {
	n := 2
	if v == V5 {
		n++
	}
	for _, f := range filters {
		n += 2 + len(f)
	}
	dst = appendUint16(appendHeader(dst, UNSUBSCRIBE, flagsOf[UNSUBSCRIBE], n), id)
	if v == V5 {
		dst = append(dst, 0)
	}
	for _, f := range filters {
		dst = appendText(dst, f)
	}
	return dst
}

// ValidTopic reports whether s is a topic name: not empty, and without wildcards (5 §4.7.1). The parser checks that it is
// UTF-8.
func ValidTopic(s []byte) bool {
	return len(s) > 0 && bytes.IndexByte(s, '#') < 0 && bytes.IndexByte(s, '+') < 0
}

// ValidFilter reports whether s is a topic filter (5 §4.7.1), or one of a shared subscription (5 §4.8.2).
func ValidFilter(s []byte) bool {
	if Shared(s) {
		share, filter, ok := bytes.Cut(s[len(sharePrefix):], slash)
		if !ok || !ValidTopic(share) {
			return false
		}
		s = filter
	}
	if len(s) == 0 {
		return false
	}
	for i, c := range s {
		whole := i == 0 || s[i-1] == '/'
		switch {
		case c == '#' && (!whole || i != len(s)-1):
			return false
		case c == '+' && (!whole || i != len(s)-1 && s[i+1] != '/'):
			return false
		}
	}
	return true
}

const sharePrefix = "$share/"

var slash = []byte("/")

// Shared reports whether a filter belongs to a shared subscription.
func Shared(filter []byte) bool { return bytes.HasPrefix(filter, []byte(sharePrefix)) }

// Match reports whether a filter, valid and not of a shared subscription, matches a topic name (5 §4.7). A wildcard at its
// start matches no topic that begins with $.
func Match(filter, topic []byte) bool {
	if len(topic) > 0 && topic[0] == '$' && len(filter) > 0 && filter[0] != '$' {
		return false
	}
	for {
		level, filterRest, moreFilter := bytes.Cut(filter, slash)
		if len(level) == 1 && level[0] == '#' {
			return true
		}
		name, topicRest, moreTopic := bytes.Cut(topic, slash)
		any := len(level) == 1 && level[0] == '+'
		if !any && !bytes.Equal(level, name) {
			return false
		}
		switch {
		case !moreFilter && !moreTopic:
			return true
		case moreFilter && !moreTopic:
			return len(filterRest) == 1 && filterRest[0] == '#' // also matches the parent level
		case !moreFilter:
			return false
		}
		filter, topic = filterRest, topicRest
	}
}
