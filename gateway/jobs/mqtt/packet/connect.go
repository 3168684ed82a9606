package packet

// Connect is a CONNECT (5 §3.1, 3 §3.1).
type Connect struct {
	Version    Version
	Clean      bool // clean start, or clean session
	KeepAlive  uint16
	ClientID   []byte
	UserName   []byte // nil: none
	Password   []byte // nil: none
	Will       Will
	Properties Properties
}

// Will is the message that a broker publishes when the client's connection breaks.
type Will struct {
	Topic      []byte // nil: no will
	Payload    []byte
	QoS        uint8
	Retain     bool
	Properties Properties
}

// Flags of a CONNECT (5 §3.1.2.3).
const (
	flagReserved = 1 << iota
	flagClean
	flagWill
	flagWillQoS
	_
	flagWillRetain
	flagPassword
	flagUserName
)

// ParseConnect reads the body of a CONNECT into c. Its error for unsupported versions is UnsupportedVersion.
func ParseConnect(body []byte, c *Connect) error {
	*c = Connect{}
	r := reader{b: body}
	name := r.data()
	c.Version = Version(r.byte())
	switch {
	case r.err != nil:
		return r.err
	case string(name) == "MQIsdp" && c.Version == 3:
		return errVersion
	case string(name) != "MQTT":
		return errName
	case c.Version != V311 && c.Version != V5:
		return errVersion
	}
	flags := r.byte()
	c.Clean = flags&flagClean != 0
	c.KeepAlive = r.uint16()
	if c.Version == V5 {
		r.properties(&c.Properties, in(CONNECT))
	}
	c.ClientID = r.text()
	if flags&flagWill != 0 {
		c.Will.QoS, c.Will.Retain = flags/flagWillQoS&3, flags&flagWillRetain != 0
		if c.Version == V5 {
			r.properties(&c.Will.Properties, inWill)
		}
		c.Will.Topic, c.Will.Payload = r.text(), r.data()
	}
	if flags&flagUserName != 0 {
		c.UserName = r.text()
	}
	if flags&flagPassword != 0 {
		c.Password = r.data()
	}
	if err := r.end(); err != nil {
		return err
	}
	return c.check(flags)
}

// check validates the fields together.
func (c *Connect) check(flags uint8) error {
	switch {
	case flags&flagReserved != 0:
		return errReserved
	case flags&flagWill == 0 && flags&(3*flagWillQoS|flagWillRetain) != 0, c.Will.QoS == 3:
		return errWill
	case flags&flagWill != 0 && !ValidTopic(c.Will.Topic):
		return errTopic
	case c.Version == V311 && flags&flagPassword != 0 && flags&flagUserName == 0:
		return errPassword
	case c.Version == V311 && len(c.ClientID) == 0 && !c.Clean:
		return errNoID
	case c.Properties.Has(AuthenticationData) && !c.Properties.Has(AuthenticationMethod):
		return errValue
	}
	return nil
}

// AppendConnect appends c.
func AppendConnect(dst []byte, c *Connect) []byte {
	var flags uint8
	n := 10 + 2 + len(c.ClientID)
	var size, willSize int
	if c.Version == V5 {
		size = c.Properties.size()
		n += varintSize(size) + size
	}
	if c.Clean {
		flags |= flagClean
	}
	if c.Will.Topic != nil {
		flags |= flagWill | c.Will.QoS*flagWillQoS
		if c.Will.Retain {
			flags |= flagWillRetain
		}
		n += 4 + len(c.Will.Topic) + len(c.Will.Payload)
		if c.Version == V5 {
			willSize = c.Will.Properties.size()
			n += varintSize(willSize) + willSize
		}
	}
	if c.UserName != nil {
		flags |= flagUserName
		n += 2 + len(c.UserName)
	}
	if c.Password != nil {
		flags |= flagPassword
		n += 2 + len(c.Password)
	}
	dst = appendHeader(dst, CONNECT, 0, n)
	dst = append(dst, 0, 4, 'M', 'Q', 'T', 'T', byte(c.Version), flags)
	dst = appendUint16(dst, c.KeepAlive)
	if c.Version == V5 {
		dst = c.Properties.appendTo(dst, size)
	}
	dst = appendText(dst, c.ClientID)
	if c.Will.Topic != nil {
		if c.Version == V5 {
			dst = c.Will.Properties.appendTo(dst, willSize)
		}
		dst = appendText(appendText(dst, c.Will.Topic), c.Will.Payload)
	}
	if c.UserName != nil {
		dst = appendText(dst, c.UserName)
	}
	if c.Password != nil {
		dst = appendText(dst, c.Password)
	}
	return dst
}

// Connack is a CONNACK (5 §3.2). In MQTT 3.1.1 the reason becomes a return code.
type Connack struct {
	SessionPresent bool
	Reason         Reason
	Properties     Properties // MQTT 5
}

// AppendConnack appends c for a client of a version.
func AppendConnack(dst []byte, v Version, c *Connack) []byte {
	var flags uint8
	if c.SessionPresent {
		flags = 1
	}
	if v != V5 {
		return append(appendHeader(dst, CONNACK, 0, 2), flags, returnCode(c.Reason))
	}
	size := c.Properties.size()
	dst = appendHeader(dst, CONNACK, 0, 2+varintSize(size)+size)
	return c.Properties.appendTo(append(dst, flags, byte(c.Reason)), size)
}

// ParseConnack reads the body of a CONNACK into c. In MQTT 3.1.1 the reason is the unchanged return code.
func ParseConnack(body []byte, v Version, c *Connack) error {
	*c = Connack{}
	r := reader{b: body}
	flags := r.byte()
	c.SessionPresent, c.Reason = flags&1 != 0, Reason(r.byte())
	if v == V5 {
		r.properties(&c.Properties, in(CONNACK))
	}
	if err := r.end(); err != nil {
		return err
	}
	if flags > 1 {
		return errReserved
	}
	return nil
}
